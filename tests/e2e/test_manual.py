"""oobd.conf(5) against the program: every option is in it, and every default
that is a figure or a word is the one that the program has."""
import re
import subprocess

from conftest import BUILD, ROOT

SECTIONS = {
    "": "GLOBAL OPTIONS", "console": "CONSOLES", "alert": "ALERTS",
    "ssh": "SSH", "journal": "JOURNAL", "user": "USERS", "relay": "RELAYS",
    "modem": "MODEM", "activation": "ACTIVATION", "notify": "NOTIFY",
}
# What has to be said, of one section each.
CONF = """
console "gw" {{
	device = "/dev/null"
	alert "x" {{ match = "abc" }}
}}
user "a" {{ keys = {{ "{key}" }} }}
relay "r" {{
	host = "x"
	user = "y"
	listen = {{ "localhost:31337" }}
	host_key = {{ "{key}" }}
}}
modem {{ data = "/dev/ttyUSB9" apn = "x" }}
activation {{ from = {{ "+491234567" }} }}
notify "n" {{ type = "ntfy" url = "https://x/y" }}
"""
LITERAL = re.compile(r"^(\d\S*|true|false|\*99#|/\S+)$")
# Those of the built-in alerts; without anybody to watch it is off.
OTHERWISE = {("alert", "crash"), ("alert", "builtin"),
             ("activation", "watch_for")}


def manual():
    """{(heading, option): its text in one line}."""
    heading, found = "", {}
    text = (ROOT / "docs" / "oobd.conf.5").read_text()
    for part in re.split(r"(?m)^(?=\.It Ic |\.Sh )", text):
        first, _, body = part.partition("\n")
        if first.startswith(".Sh"):
            heading = first[4:]
        if not first.startswith(".It Ic"):
            continue
        body = re.split(r"(?m)^\.El", body)[0]
        line = " ".join(re.sub(r"^\.(Ic|Ql|Pa|Li|Dq|Sq) ", "", x)
                        for x in body.splitlines())
        for i, name in enumerate(re.findall(r"[a-z_]+", first[6:])):
            # "default 2 and 3" of two
            found[heading, name] = line if i == 0 else \
                re.sub(r"default \S+ and (\S+)", r"default \1", line)
    return found


def printed(tmp_path):
    """{(section, option): value} of oobd -nv, for the names in CONF."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                    str(tmp_path / "key")], check=True)
    key = " ".join((tmp_path / "key.pub").read_text().split()[:2])
    conf = tmp_path / "oobd.conf"
    conf.write_text(CONF.format(key=key))
    text = subprocess.run([str(BUILD / "oobd"), "-nv", "-f", str(conf)],
                          check=True, text=True, capture_output=True).stdout
    found, inside = {}, [""]
    for line in text.splitlines():
        begin = re.match(r"\s*(\w+)( \"\w+\")? \{$", line)
        option = re.match(r"\s*(\w+) = (.*)$", line)
        if begin:
            inside.append(begin.group(1))
        elif line.strip() == "}":
            inside.pop()
        elif option:
            found[inside[-1], option.group(1)] = option.group(2).strip('"')
    return found


def test_every_option_is_in_the_manual(tmp_path):
    known = manual()
    missing = [(s, o) for s, o in printed(tmp_path)
               if (SECTIONS[s], o) not in known]
    assert missing == []


def test_defaults_are_the_programs(tmp_path):
    known, wrong, compared = manual(), [], 0
    for (section, option), value in printed(tmp_path).items():
        if (section, option) in OTHERWISE:
            continue
        text = known.get((SECTIONS[section], option), "")
        said = re.search(r"[Dd]efault:? +(\S+)", text)
        said = said.group(1).rstrip(".,;:") if said else ""
        if not LITERAL.match(said) or not LITERAL.match(value):
            continue
        compared += 1
        if said != value and (said, value) != ("0s", "0"):
            wrong.append((section, option, said, value))
    assert wrong == []
    assert compared >= 50
