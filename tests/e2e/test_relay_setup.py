"""The script that makes a stock OpenSSH server a relay."""
import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from conftest import BUILD, ROOT, free_port, make_key, wait_for
from relay_site import SETUP, SSHD, Relay


@pytest.fixture
def relay():
    r = Relay(config="", ports=2)
    yield r
    r.close()


def public(path, name):
    make_key(path / name)
    return (path / f"{name}.pub").read_text()


def ssh(relay, key, *words):
    return ["ssh", "-F", "none", "-p", str(relay.port), "-i", str(key),
            "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
            "-o", "UserKnownHostsFile=/dev/null", "-o", "IdentityAgent=none",
            "-o", "BatchMode=yes", "-o", "LogLevel=ERROR", "-o",
            "ExitOnForwardFailure=yes", *words, "127.0.0.1"]


def fails(relay, *words, data=None):
    done = relay.setup(*words, data=data, good=False)
    assert done.returncode != 0
    return done.stderr


def test_the_snippet_in_the_tree_is_what_it_makes():
    done = subprocess.run(["sh", str(SETUP), "--account", "oob", "--admin",
                           "oobadmin", "config"], capture_output=True,
                          text=True, check=True)
    text = (SETUP.parent / "50-oobd-relay.conf").read_text()
    assert re.sub(r"^Port .*\n\n?", "", done.stdout, flags=re.M) == text


def test_shell_is_clean():
    done = subprocess.run(["sh", "-n", str(SETUP)], capture_output=True)
    assert done.returncode == 0, done.stderr
    done = subprocess.run(["shellcheck", str(SETUP)], capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stdout


def test_life_of_a_box(relay, tmp_path):
    one, two = public(tmp_path, "one"), public(tmp_path, "two")
    said = relay.setup("add-box", "one", "31337",
                       data="# made by oobctl\n" + one).stdout
    assert '"localhost:31337"' in said and relay.host_key() in said
    assert relay.setup("box-conf", "one").stdout == said
    line = relay.keys_file().read_text()
    assert line == ('restrict,port-forwarding,permitlisten="localhost:31337",'
                    'permitopen="localhost:31337" '
                    + " ".join(one.split()[:2]) + " one\n")
    # What the key line allows beside that is not taken over.
    said = relay.setup("add-box", "two", "auto", "auto",
                       data='command="/bin/sh",pty ' + two)
    assert "20000 20001" in said.stderr
    assert "command" not in relay.keys_file().read_text()
    assert relay.setup("list").stdout.split("\n")[1].split()[::2] == \
        ["one", "31337"]
    assert "2 boxes" in relay.setup("check").stderr
    relay.setup("remove-box", "one")
    assert "one" not in relay.setup("list").stdout
    assert relay.setup("list", "--down").stdout.split()[0] == "two"


def test_section_for_the_box_loads(relay, tmp_path, empty_site):
    for name, ports in (("one", ["31337"]), ("two", ["auto", "auto"])):
        said = relay.setup("add-box", name, *ports,
                           data=public(tmp_path, name)).stdout
        empty_site.add_line("gw" + name)
        empty_site.top = said
        empty_site.write()
        (empty_site.dir / "state").mkdir(mode=0o700, exist_ok=True)
        done = subprocess.run(
            [str(BUILD / "oobd"), "-n", "-f", str(empty_site.conf)],
            capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_what_it_refuses(relay, tmp_path):
    one, two = public(tmp_path, "one"), public(tmp_path, "two")
    relay.setup("add-box", "one", "31337", data=one)
    before = relay.keys_file().read_text()
    for words, data, why in (
            (("add-box", "one", "31338"), two, "there already"),
            (("add-box", "two", "31337"), two, "port 31337 is box one's"),
            (("add-box", "two", "31338"), one, "another box's"),
            (("add-box", "two", "31338", "31338"), two, "given twice"),
            (("add-box", "two", "80"), two, "from 1024"),
            (("add-box", "two", "70000"), two, "to 65535"),
            (("add-box", "two", "any"), two, "not a number"),
            (("add-box", "two", "1x"), two, "not a number"),
            (("add-box", 'a"b', "31338"), two, "letters, digits"),
            (("add-box", "../x", "31338"), two, "letters, digits"),
            (("add-box", "two", "31338"), "hello\n", "no public key"),
            (("add-box", "two", "31338"), "ssh-ed25519 AAAAC3Nz\n",
             "damaged"),
            (("remove-box", "two"), None, "no box 'two'"),
            (("add-admin", "alice", "two"), two, "no box 'two'"),
            (("remove-admin", "one"), None, "no admin"),
            (("box-conf", "two"), None, "no box 'two'"),
            (("dance",), None, "init"),
            (("list", "--up"), None, "init")):
        said = fails(relay, *words, data=data)
        assert why in said, (words, said)
        assert relay.keys_file().read_text() == before, words


def test_init_twice_keeps_boxes(relay, tmp_path):
    relay.setup("add-box", "one", "31337", data=public(tmp_path, "one"))
    relay.setup("init")
    assert "1 boxes" in relay.setup("check").stderr
    assert f"port     = {relay.port}" in relay.setup("box-conf", "one").stdout


def test_check_finds_what_undoes_it(relay, tmp_path):
    folder = relay.main.parent / "sshd_config.d"
    for line, why in (
            ("Match all\n\tAllowTcpForwarding no\n", "allowtcpforwarding"),
            ("Match all\n\tPermitTTY yes\n", "permittty"),
            ("Match all\n\tMaxSessions 10\n", "maxsessions"),
            ("Match all\n\tUnusedConnectionTimeout 5m\n", "idle boxes"),
            ("Match all\n\tAuthorizedKeysFile x\n", "authorizedkeysfile"),
            ("Nonsense yes\n", "does not take")):
        (folder / "10-other.conf").write_text(line)
        assert why in fails(relay, "check"), line
    (folder / "10-other.conf").unlink()
    one = public(tmp_path, "one")
    relay.setup("add-box", "one", "31337", data=one)
    with open(relay.keys_file(), "a") as f:
        f.write(one)
    assert "not a line of ours" in fails(relay, "check")
    two = public(tmp_path, "two").split()
    relay.setup("init")
    text = relay.keys_file().read_text().splitlines()[0]
    relay.keys_file().write_text(
        text + "\n" + text.replace(" one", " two").replace(
            one.split()[1], two[1]) + "\n")
    assert "more than one box" in fails(relay, "check")


def test_many_at_once_lose_none(relay, tmp_path):
    jobs = []
    for i in range(8):
        public(tmp_path, f"k{i}")
        with open(tmp_path / f"k{i}.pub") as f:
            jobs.append(subprocess.Popen(
                ["sh", str(SETUP), "--root", str(relay.dir), "add-box",
                 f"b{i}", "auto"], stdin=f, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL))
    assert [j.wait(30) for j in jobs] == [0] * 8
    assert "8 boxes" in relay.setup("check").stderr


def test_what_a_box_may_do_there(relay, tmp_path):
    """Real logins: its port and nothing else."""
    port, other = free_port(), free_port()
    relay.setup("add-box", "one", str(port), data=public(tmp_path, "one"))
    relay.setup("add-admin", "alice", "one", data=public(tmp_path, "alice"))
    relay.start()
    key, admin = tmp_path / "one", tmp_path / "alice"

    def run(*words, key=key):
        return subprocess.run(ssh(relay, key, *words), capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=20)
    for words in ((), ("-s",), ("-tt",)):
        done = subprocess.run(ssh(relay, key, *words) + ["id"], timeout=20,
                              stdin=subprocess.DEVNULL, capture_output=True)
        assert done.returncode != 0 and b"uid" not in done.stdout
    for listen in (f"localhost:{other}", f"127.0.0.1:{port}", f"*:{port}",
                   f"0.0.0.0:{port}"):
        assert run("-N", "-R", f"{listen}:localhost:9").returncode == 255
    sock = tmp_path / "sock"
    assert run("-N", "-R", f"{sock}:localhost:9").returncode == 255
    assert not sock.exists()
    assert run("-W", f"localhost:{relay.port}").returncode == 255
    tunnel = subprocess.Popen(
        ssh(relay, key, "-N", "-R", f"localhost:{port}:127.0.0.1:"
            f"{relay.port}"), stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: relay.listening(port))
        assert "yes" in relay.setup("list").stdout
        assert relay.setup("list", "--down").stdout == ""
        # The box to itself, for its test; an admin, to this box only.
        for k in (key, admin):
            done = run("-W", f"localhost:{port}", key=k)
            assert done.stdout.startswith(b"SSH-2.0-"), done.stderr
        assert run("-W", f"localhost:{relay.port}",
                   key=admin).returncode == 255
        assert run("-N", "-R", f"localhost:{other}:localhost:9",
                   key=admin).returncode == 255
    finally:
        tunnel.kill()
        tunnel.wait()


def test_an_account_for_each_box(tmp_path):
    """--own: accounts that the same block holds down; on a system it makes
    them, too."""
    root = tmp_path / "root"

    def setup(*words, data=None):
        return subprocess.run(
            ["sh", str(SETUP), "--root", str(root), "--account", "oob",
             "--admin", "oobadmin", *words], input=data, text=True,
            capture_output=True)
    assert setup("init", "--port", "2222").returncode == 0
    keys = root / "etc/ssh/oobd-relay"
    one, two = public(tmp_path, "one"), public(tmp_path, "two")
    done = setup("add-box", "--own", "one", "31337", data=one)
    assert done.returncode == 0 and 'user     = "oob-one"' in done.stdout
    done = setup("add-box", "--own", "two", "any", data=two)
    assert 'listen   = "localhost:0"' in done.stdout, done.stdout
    assert (keys / "oob-one").read_text().startswith(
        'restrict,port-forwarding,permitlisten="localhost:31337",')
    assert 'permitopen="localhost:*"' in (keys / "oob-two").read_text()
    # what another account has counts
    for words, data in ((("three", "31337"), public(tmp_path, "three")),
                        (("three", "31338"), one)):
        assert setup("add-box", *words, data=data).returncode != 0
    listed = setup("list").stdout
    assert re.search(r"^one +oob-one +31337 +no$", listed, re.M), listed
    make_key(tmp_path / "hostkey")
    said = subprocess.run(
        [SSHD, "-T", "-h", str(tmp_path / "hostkey"), "-f",
         str(root / "etc/ssh/sshd_config"), "-C",
         "user=oob-one,host=h,addr=192.0.2.1"], capture_output=True,
        text=True)
    assert said.returncode == 0, said.stderr
    for line in (f"authorizedkeysfile {keys}/%u", "maxsessions 0",
                 "permittty no", "gatewayports no", "permitlisten localhost:*",
                 "clientaliveinterval 15", "maxstartups 200:30:1000"):
        assert line in said.stdout.lower().replace(
            str(keys).lower(), str(keys)), (line, said.stdout)
    assert setup("remove-box", "one").returncode == 0
    assert not (keys / "oob-one").exists() and (keys / "oob-two").exists()


# $1 a folder, $2 the script, $3 where sshd listens, $4 sshd.  All that it
# does to this system is in an overlay, and goes with it.
SYSTEM = """
set -e
mount -t tmpfs tmpfs "$1/top"
mkdir "$1/top/upper" "$1/top/work" /run/sshd 2>/dev/null || true
mount -t overlay -o "lowerdir=/etc,upperdir=$1/top/upper,workdir=$1/top/work" \\
    overlay /etc
rm -rf /etc/ssh
mkdir /etc/ssh
ssh-keygen -q -A
echo 'UsePAM no' > /etc/ssh/sshd_config
sh "$2" --host relay.test init --port 443
sh "$2" add-box one 31337 < "$1/one.pub" >/dev/null
sh "$2" add-box --own two 31338 < "$1/two.pub"
cat /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*
sh "$2" check
for a in oob oobadmin oob-two; do getent passwd $a; done
"$4" -D -e -p "$3" -o PidFile=none 2> "$1/log" &
trap 'kill $!' EXIT
for who in oob/one oob-two/two oob/two oob-two/one; do
    n=0
    until ssh -F none -p "$3" -i "$1/${who#*/}" -o BatchMode=yes \\
        -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \\
        -o IdentitiesOnly=yes -o IdentityAgent=none -N -v \\
        -o ConnectTimeout=5 -W localhost:1 "${who%/*}@127.0.0.1" \\
        < /dev/null 2> "$1/said"
    do
        if grep -q 'Connection refused' "$1/said" && [ $n -lt 50 ]; then
            n=$((n + 1)); sleep 0.1; continue
        fi
        break
    done
    grep -q '^Authenticated to' "$1/said" && echo "in: $who" || echo "no: $who"
done
sh "$2" remove-box two
getent passwd oob-two || echo "none left"
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="not root")
def test_on_a_system(tmp_path):
    """As root, on what there is: accounts that may log in with a key and do
    nothing else, sshd's own port kept, its file led to ours."""
    (tmp_path / "top").mkdir()
    before = Path("/etc/passwd").read_bytes()
    for name in ("one", "two"):
        make_key(tmp_path / name)
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", SYSTEM, "sh", str(tmp_path),
         str(SETUP), str(free_port()), SSHD], capture_output=True, text=True,
        timeout=60)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    assert 'user     = "oob-two"' in said and "port     = 22" in said
    assert re.search(r"^Include /etc/ssh/sshd_config.d/\*.conf\n", said, re.M)
    assert "\nPort 22\nPort 443\n" in said
    for account in ("oob", "oobadmin", "oob-two"):
        assert re.search(rf"^{account}:.*:/nonexistent:.*(nologin|false)$",
                         said, re.M), said
    assert re.findall("^in: (.*)", said, re.M) == ["oob/one", "oob-two/two"]
    assert re.findall("^no: (.*)", said, re.M) == ["oob/two", "oob-two/one"]
    assert said.endswith("none left\n")
    assert "all well: 2 boxes" in done.stderr
    assert Path("/etc/passwd").read_bytes() == before


def test_public_forwards_are_for_everybody(tmp_path):
    """init --public: the box's port at every address of the relay."""
    for given in (True, False):
        r = Relay(config="", public=given)
        port = free_port()
        try:
            key = make_key(tmp_path / f"box{given}")
            r.add_box("one", port, key=(tmp_path / f"box{given}.pub")
                      .read_text())
            r.start()
            tunnel = subprocess.Popen(
                ssh(r, key, "-N", "-R", f"localhost:{port}:127.0.0.1:"
                    f"{r.port}"), stdin=subprocess.DEVNULL)
            try:
                wait_for(lambda: r.listening(port))
                with socket.socket() as s:
                    assert (s.connect_ex(("127.0.0.2", port)) == 0) == given
            finally:
                tunnel.kill()
                tunnel.wait()
        finally:
            r.close()


def test_second_port_listens(relay):
    relay.start()
    assert all(relay.open(p) for p in relay.ports)


def test_two_blocks_of_a_system():
    """As it would be written on a system, both accounts apart."""
    text = (SETUP.parent / "50-oobd-relay.conf").read_text()
    blocks = re.split(r"^Match User ", text, flags=re.M)[1:]
    assert [b.split("\n")[0] for b in blocks] == ["oob,oob-*", "oobadmin"]
    for b in blocks:
        for line in ("PermitTTY no", "MaxSessions 0", "GatewayPorts no"
                     if b.startswith("oob,") else "PermitOpen localhost:*",
                     "AllowAgentForwarding no", "PermitTunnel no"):
            assert line in b
        assert "\tUnusedConnectionTimeout" not in b
    assert str(ROOT) not in text
