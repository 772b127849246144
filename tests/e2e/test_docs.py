"""What the documents show must load as it stands, paths aside."""
import ast
import re
import shlex
import subprocess

import pytest
from conftest import BUILD, ROOT, Client, wait_for
from pages import block, blocks


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                    str(path)], check=True)
    return (tmp_path / "key.pub").read_text().strip()


def check(tmp_path, text):
    """oobd -n of this, with the system's folders below tmp_path."""
    text = re.sub(r'"/(etc|usr|var)/', f'"{tmp_path}/\\1/', text)
    conf = tmp_path / "oobd.conf"
    conf.write_text(text)
    return subprocess.run([str(BUILD / "oobd"), "-n", "-f", str(conf)],
                          text=True, stdout=subprocess.PIPE, timeout=20,
                          stderr=subprocess.STDOUT)


def test_sample_configuration(tmp_path, key):
    (tmp_path / "etc/oobd").mkdir(parents=True)
    (tmp_path / "etc/oobd/alice.keys").write_text(key + "\n")
    text = (ROOT / "docs/oobd.conf.sample").read_text()
    p = check(tmp_path, text)
    assert p.returncode == 0, p.stdout
    (tmp_path / "etc/oobd/alice.keys").unlink()
    p = check(tmp_path, text)
    assert p.returncode == 1 and "alice.keys" in p.stdout


@pytest.mark.parametrize("source", ["sample", "manual"])
def test_way_out_in_the_documents(tmp_path, key, source):
    """The examples of relay, modem, activation and notify."""
    folder = tmp_path / "etc/oobd"
    folder.mkdir(parents=True)
    (folder / "alice.keys").write_text(key + "\n")
    (folder / "bob.keys").write_text("")
    for name in "pin", "pushover.token", "pushover.user":
        (folder / name).write_text("1234\n")
        (folder / name).chmod(0o600)
    if source == "sample":
        text = (ROOT / "docs/oobd.conf.sample").read_text()
        before, after = re.split(r"^(?=#relay)", text, 1, re.M)
        text = before + re.sub(r"^#(?=[a-z\t}])", "", after, flags=re.M)
    else:
        text = (ROOT / "docs/oobd.conf.5").read_text()
        text = re.search(r"^name = (?s:.)*?(?=^\.Ed)", text, re.M).group(0)
    # A key is one user's only, but may be a relay's, too.
    text = re.sub(r"ssh-ed25519 AAAA\.\.\.( alice@laptop)?", key, text)
    text = 'service_user = "root"\n' + text
    for section in 'relay "cloud" {', "modem {", "activation {", "notify ":
        assert re.search("^" + section, text, re.M), section
    p = check(tmp_path, text)
    assert p.returncode == 0, p.stdout
    (folder / "pin").chmod(0o644)
    p = check(tmp_path, text)
    assert p.returncode == 1 and "chmod 600" in p.stdout


def test_configuration_in_the_readme(tmp_path, key):
    readme = (ROOT / "README.md").read_text()
    block = re.search(r'^    name +=(?s:.)*?^    user "alice" (?s:.)*?^    }$',
                      readme, re.M).group(0)
    further = re.findall(
        r'^    (?:relay "cloud"|modem|activation) {\n(?s:.)*?^    }$',
        readme, re.M)
    assert len(further) == 3
    text = re.sub(r"^    ", "", "\n".join([block, *further]), flags=re.M)
    text = text.replace("ssh-ed25519 AAAA... alice@laptop", key)
    text = text.replace("ssh-ed25519 AAAA...", key)
    p = check(tmp_path, text)
    assert p.returncode == 0, p.stdout


def test_documents_that_are_linked_exist():
    readme = (ROOT / "README.md").read_text()
    links = re.findall(r"\]\((docs/[^)]+)\)", readme)
    assert links
    assert [x for x in links if not (ROOT / x).exists()] == []


# Every block of the pages, by how it begins: the test that takes it from the
# page and runs it, or why none can.
FREEBSD = "FreeBSD's, and this runs on Linux"
RUN_BY = {
    ("README.md", "sh contrib/bootstrap.sh demo"):
        "test_demo.py::test_the_command_of_the_readme",
    ("README.md", "sh contrib/bootstrap.sh build"):
        "test_package.py::test_from_the_sources",
    ("README.md", "name      ="):
        "test_docs.py::test_configuration_in_the_readme",
    ("README.md", "systemctl daemon-reload"):
        "test_package.py::test_from_the_sources",
    ("README.md", "Host oob"): "test_docs.py::test_what_the_readme_types",
    ("README.md", 'relay "cloud"'):
        "test_docs.py::test_configuration_in_the_readme",
    ("README.md", "modem {"):
        "test_docs.py::test_configuration_in_the_readme",
    ("README.md", "grep -h"): "test_docs.py::test_what_the_readme_types",
    ("docs/install.md", "sh contrib/bootstrap.sh build|make deb"):
        "test_package.py::test_life_of_a_package",
    ("docs/install.md", "apt install"):
        "test_package.py::test_life_of_a_package",
    ("docs/install.md", "oobd -n|systemctl start"):
        "test_package.py::test_life_of_a_package",
    ("docs/install.md", "sh contrib/bootstrap.sh build|make install"):
        "test_package.py::test_from_the_sources",
    ("docs/install.md", "oobd -n|systemctl enable"):
        "test_package.py::test_from_the_sources",
    ("docs/install.md", "sh contrib/bootstrap.sh build|gmake"): FREEBSD,
    ("docs/install.md", "pw useradd"): FREEBSD,
    ("docs/install.md", "service devd"): FREEBSD,
    ("docs/install.md", "cp /usr/local/etc"): FREEBSD,
    ("docs/install.md", "mkdir -p /etc/ppp"):
        "test_package.py::test_from_the_sources",
    ("docs/install.md", "sysrc oobd_enable"): FREEBSD,
    ("docs/install.md", "control_group"):
        "test_docs.py::test_group_of_the_page",
    ("docs/install.md", ". /usr/local"):
        "test_package.py::test_from_the_sources",
}


def test_every_block_is_run_or_it_is_said_why_not():
    left = dict(RUN_BY)
    for page in "README.md", "docs/install.md":
        for b in blocks(page):
            found = [k for k in left if k[0] == page and
                     "|".join(b).startswith(k[1])]
            assert len(found) == 1, (page, b[0], found)
            del left[found[0]]
    assert left == {}
    for how in RUN_BY.values():
        if how != FREEBSD:
            file, name = how.split("::")
            tree = ast.parse((ROOT / "tests/e2e" / file).read_text())
            assert name in [n.name for n in tree.body
                            if isinstance(n, ast.FunctionDef)], how


def test_group_of_the_page(tmp_path, key):
    line, = block("docs/install.md", "control_group")
    text = "\n".join(block("README.md", "name      ="))
    text = text.replace("ssh-ed25519 AAAA... alice@laptop", key)
    p = check(tmp_path, line.replace('"oobd"', '"root"') + "\n" + text)
    assert p.returncode == 0, p.stdout
    p = check(tmp_path, line.replace('"oobd"', '"no-such-group"') + "\n" +
              text)
    assert p.returncode == 1 and "no-such-group" in p.stdout


def typed():
    """What the README's table has typed, verbs after a comma written out."""
    table = (ROOT / "README.md").read_text().split("| type | for |")[1]
    for cell in re.findall(r"^\| (`ssh .*?`) \|", table.split("\n\n")[0],
                           re.M):
        words = re.findall(r"`([^`]+)`", cell)
        yield words[0]
        for verb in words[1:]:
            yield words[0].rsplit(" ", 1)[0] + " " + verb


def test_what_the_readme_types(empty_site, tmp_path):
    """Each line of the table, and of the record, as it stands there."""
    s = empty_site
    line = s.add_line("gw", echo=True)
    s.add_user("alice", role="admin")
    s.start()
    line.send(b"igb1: link state changed to DOWN\r\nlogin: ")
    text = "\n".join(block("README.md", "Host oob"))
    assert "HostName 192.0.2.10" in text and "Port 2222" in text
    text = text.replace("192.0.2.10", "127.0.0.1").replace("2222", str(s.port))
    (tmp_path / "config").write_text(text + f"""
Host *
    IdentityFile {s.users["alice"].key}
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile {s.known_hosts}
    LogLevel ERROR
""")
    lines = list(typed())
    assert len(lines) >= 10
    for words in lines:
        words = words.replace("at 03:00", "at -3s").replace(
            "03:00", "-1min").replace("ssh ", f"ssh -F {tmp_path}/config ", 1)
        # The page needs an installed player: see test_export.py.
        words = words.replace("--format html", "--format cast2")
        argv = shlex.split(words)
        if argv[-1] == "gw@oob" or argv[-1] == "alice@oob":
            c = Client(argv, tty=True)
            try:
                c.expect(b"you have the pen")
                c.out.settle()
                c.send(b"\x05c.")
                assert c.wait() == 0
            finally:
                c.stop()
        elif "replay" in argv:
            line.send(b"\r\nigb1: link state changed to UP\r\n")
            c = Client(argv, tty=True)
            try:
                c.expect(b"link state changed to UP")
                c.send(b"q")
                assert c.wait() == 0
            finally:
                c.stop()
        else:
            done = subprocess.run(words, shell=True, cwd=tmp_path,
                                  stdin=subprocess.DEVNULL,
                                  capture_output=True)
            assert done.returncode == 0, (words, done)
    assert "link state changed" in (tmp_path / "night.html").read_text()
    events = s.ctl("log", "gw", "--events").stdout
    assert b"swapped the SFP" in events
    grep, tail = [x.replace("/var/log/oobd", str(s.dir / "journal"))
                  for x in block("README.md", "grep -h")]
    wait_for(lambda: b"link state changed to DOWN" in subprocess.run(
        grep, shell=True, capture_output=True).stdout)
    c = Client(shlex.split(tail))
    try:
        c.expect(b"link state changed to DOWN")
        line.send(b"\r\nand more\r\n")
        c.expect(b"and more")
    finally:
        c.stop()
