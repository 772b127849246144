"""make install and make deb: what lands where, and a whole life of the
package in a minimal Debian: installed, started, upgraded under somebody's
hands, removed and purged."""
import json
import os
import re
import shutil
import subprocess
import threading

import pytest

from clean_root import CleanRoot, InnerLine, Unable
from conftest import BUILD, PATIENCE, ROOT, Client, free_port, \
    make_key, wait_for
from pages import block, blocks

pytestmark = [
    pytest.mark.long,
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="not Debian")]


def make(*words):
    done = subprocess.run(["make", "-C", str(ROOT), f"B={BUILD}", *words],
                          text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    return done.stdout


def deb(folder, version):
    make("deb", f"DEB={folder}", f"DEB_VERSION={version}")
    found, = folder.glob(f"oobd_{version}_*.deb")
    return found


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return deb(tmp_path_factory.mktemp("deb"), "0.1~test1")


def field(package, name):
    return subprocess.run(["dpkg-deb", "-f", str(package), name], check=True,
                          capture_output=True, text=True).stdout.strip()


def test_what_is_in_the_package(package):
    rows = subprocess.run(["dpkg-deb", "-c", str(package)], check=True,
                          capture_output=True, text=True).stdout.splitlines()
    files = {r.split()[5].lstrip("."): r.split()[:2] for r in rows}
    assert {owner for _, owner in files.values()} == {"root/root"}
    for path, mode in {
            "/usr/sbin/oobd": "-rwxr-xr-x", "/usr/bin/oobctl": "-rwxr-xr-x",
            "/usr/bin/oobsim": "-rwxr-xr-x",
            "/etc/oobd/oobd.conf.sample": "-rw-r--r--",
            "/usr/lib/systemd/system/oobd.service": "-rw-r--r--",
            "/usr/lib/sysusers.d/oobd.conf": "-rw-r--r--",
            "/usr/lib/tmpfiles.d/oobd.conf": "-rw-r--r--",
            "/usr/lib/udev/rules.d/70-oobd.rules": "-rw-r--r--",
            "/usr/share/man/man8/oobd.8.gz": "-rw-r--r--",
            "/usr/share/man/man5/oobd.conf.5.gz": "-rw-r--r--",
            "/usr/share/bash-completion/completions/oobctl": "-rw-r--r--",
            "/usr/share/zsh/vendor-completions/_oobctl": "-rw-r--r--",
            "/usr/share/fish/vendor_completions.d/oobctl.fish": "-rw-r--r--",
            "/usr/share/oobd/oobctl-words": "-rwxr-xr-x",
            "/usr/share/oobd/oobd-relay-setup.sh": "-rwxr-xr-x"}.items():
        assert files[path][0] == mode, path
    assert not [f for f in files if "local" in f]
    assert field(package, "Version") == "0.1~test1"
    depends = field(package, "Depends")
    for lib in "libssh-4", "libserialport0", "libconfuse2", "libsodium23":
        assert lib in depends
    assert "-dev" not in depends


def test_lintian_finds_no_error(package):
    done = subprocess.run(["lintian", "--fail-on", "error,warning",
                           "--allow-root", str(package)],
                          text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout


def test_nothing_points_to_another_prefix(tmp_path):
    make("install", f"DESTDIR={tmp_path}", "PREFIX=/opt/oobd")
    text = (tmp_path / "opt/oobd/lib/systemd/system/oobd.service").read_text()
    assert "ExecStart=/opt/oobd/sbin/oobd" in text
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.stat().st_size < 100000 and \
                path.name != "oobd-relay-setup.sh" and \
                "/man/" not in str(path):
            assert b"/usr/local" not in path.read_bytes(), path
    make("uninstall", f"DESTDIR={tmp_path}", "PREFIX=/opt/oobd")
    assert [p for p in tmp_path.rglob("*") if not p.is_dir()] == []


def test_systemd_takes_the_files(tmp_path):
    """The unit, the user and the folders, in a root of their own."""
    make("install", f"DESTDIR={tmp_path}", "PREFIX=/usr")
    unit = tmp_path / "usr/lib/systemd/system/oobd.service"
    text = unit.read_text().replace("=/usr/", f"={tmp_path}/usr/")
    shown = tmp_path / "oobd.service"
    shown.write_text(re.sub(r"^Documentation=.*\n", "", text, flags=re.M))
    done = subprocess.run(["systemd-analyze", "verify", str(shown)],
                          capture_output=True, text=True)
    assert (done.returncode, done.stderr.strip()) == (0, "")
    shown.write_text(shown.read_text() + "[Service]\nProtectTime=yes\n")
    done = subprocess.run(["systemd-analyze", "verify", str(shown)],
                          capture_output=True, text=True)
    assert "ProtectTime" in done.stderr
    # The figure that the documents give.
    done = subprocess.run(["systemd-analyze", "security", "--offline=true",
                           str(unit)], capture_output=True, text=True)
    figure = re.search(r"level for oobd.service: ([0-9.]+)", done.stdout)[1]
    page = (ROOT / "docs/install.md").read_text()
    assert f"exposure {figure}," in page
    # Names from this system, numbers in that one.
    (tmp_path / "etc").mkdir(exist_ok=True)
    for name in "passwd", "group":
        (tmp_path / "etc" / name).write_text("")
    if os.geteuid() == 0:
        subprocess.run(["systemd-sysusers", f"--root={tmp_path}"], check=True)
        assert re.search(r"^oobd:x:\d+:\d+:out-of-band console server:"
                         r"/var/lib/oobd:/usr/sbin/nologin$",
                         (tmp_path / "etc/passwd").read_text(), re.M)
        subprocess.run(["systemd-tmpfiles", f"--root={tmp_path}", "--create",
                        "oobd.conf"], check=True)
        for path, mode in ("var/lib/oobd", 0o700), ("var/log/oobd", 0o750):
            s = (tmp_path / path).stat()
            assert (s.st_mode & 0o7777, s.st_uid > 0) == (mode, True), path


def root_only():
    if os.geteuid() != 0:
        pytest.skip("needs root: mounts, and users of its own")


def udev_says(rules):
    """What udev says of these rules for a serial port of this system."""
    script = ("mkdir -p /run/udev && mount -t tmpfs run /run/udev && "
              "mkdir /run/udev/rules.d && "
              "cp \"$0\" /run/udev/rules.d/70-oobd.rules && "
              "exec udevadm test /sys/class/tty/tty0 2>&1")
    return subprocess.run(["unshare", "--mount", "sh", "-c", script,
                           str(rules)], capture_output=True, text=True).stdout


def test_udev_takes_the_rules(tmp_path):
    root_only()
    rules = tmp_path / "rules"
    text = (ROOT / "contrib/70-oobd.rules").read_text()
    rules.write_text(text.replace('"oobd"', '"root"'))

    def said():
        out = udev_says(rules)
        assert "Reading rules file: /run/udev/rules.d/70-oobd.rules" in out
        return [x for x in out.splitlines() if "70-oobd.rules:" in x]
    assert said() == []
    rules.write_text(rules.read_text() + 'SUBSYSTEM=="tty", KERNLE=="x"\n')
    assert "KERNLE" in "".join(said())


def test_script_of_freebsd(tmp_path):
    """As far as it can be told without FreeBSD: its words, and that options
    reach oobd and its check."""
    script = (ROOT / "contrib/oobd.rc").read_text()
    subprocess.run(["shellcheck", "-e", "SC1091,SC2034",
                    str(ROOT / "contrib/oobd.rc")], check=True)
    (tmp_path / "rc.subr").write_text(
        "load_rc_config() { oobd_flags='-d'; }\n"
        "run_rc_command() { $start_precmd || return; "
        "echo $command $oobd_flags $command_args; }\n")
    program = tmp_path / "oobd"
    program.write_text("#!/bin/sh\necho \"checked $*\"\n")
    program.chmod(0o755)
    script = script.replace("/etc/rc.subr", f"{tmp_path}/rc.subr").replace(
        "/usr/local/sbin/oobd", str(program))
    done = subprocess.run(["sh", "-c", script, "oobd", "start"],
                          capture_output=True, text=True)
    assert done.stderr == ""
    checked, run = done.stdout.splitlines()
    assert checked == "checked -n -d"
    assert run.startswith("/usr/sbin/daemon -f -r") and \
        run.endswith(f"{program} -d")


@pytest.fixture
def clean(package, tmp_path):
    root_only()
    depends = [re.split(r"[ (]", d.strip())[0]
               for d in field(package, "Depends").split(",")]
    try:
        root = CleanRoot(tmp_path / "root", depends)
    except Unable as e:
        pytest.skip(str(e))
    try:
        yield root
    finally:
        root.close()


class Router(threading.Thread):
    """Numbered lines, all the time."""

    def __init__(self, line):
        super().__init__(daemon=True)
        self.line = line
        self.sent = b""
        self.stopped = threading.Event()

    def run(self):
        n = 0
        while not self.stopped.wait(0.02):
            piece = b"line %d of the router\r\n" % n
            self.line.send(piece)
            self.sent += piece
            n += 1

    def end(self):
        self.stopped.set()
        self.join(5)
        return self.sent


@pytest.fixture
def router(clean):
    r = Router(InnerLine(clean))
    r.start()
    yield r
    r.end()
    r.line.close()


def configure(root, router, port, key):
    """What there is to edit in the copy of the sample."""
    text = root.path("/etc/oobd/oobd.conf").read_text()
    text = text.replace("/dev/ttyUSB0", router.line.path)
    text = re.sub(r"listen = .*", f'listen = {{"127.0.0.1:{port}"}}', text, 1)
    root.path("/etc/oobd/oobd.conf").write_text(text)
    shutil.copy(f"{key}.pub", root.path("/etc/oobd/alice.keys"))


def raw(root):
    done = subprocess.run(root.argv("oobctl", "log", "gw", "--raw"),
                          capture_output=True, timeout=20)
    assert done.returncode == 0, done.stderr
    return done.stdout


def unit(root, what):
    return root.run("systemctl", "show", "-P", what, "oobd").stdout.strip()


def type_in(root, line):
    """In root's shell in there, as a page has it."""
    return root.run("sh", "-c", f"cd /root && {line}").stdout


def install(root, package):
    """As docs/install.md says."""
    folder = root.path("/root/build/deb")
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    shutil.copy(package, folder)
    return type_in(root, block("docs/install.md", "apt install")[0])


def files(root):
    """All but what is not of the packages."""
    found = root.run("find", "/etc", "/usr", "/var", "/run", "-xdev",
                     "!", "-path", "*/dpkg*", "!", "-path", "/run/systemd/*",
                     "!", "-path", "/var/log/journal/*",
                     "!", "-path", "/var/*/apt/*").stdout
    return set(found.split())


def attach(port, key, tmp_path):
    return Client(["ssh", "-tt", "-F", "none", "-p", str(port), "-i", str(key),
                   "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none",
                   "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR",
                   "-o", f"UserKnownHostsFile={tmp_path}/known",
                   "gw@127.0.0.1"], tty=True)


def children(root):
    """Name of role to pid in there, of what the unit runs."""
    ps = root.run("sh", "-c", "cd /proc && for p in [0-9]*; do "
                  "echo $p $(tr '\\0' ' ' <$p/cmdline); done").stdout
    return {m[2]: m[1] for m in
            re.finditer(r"^(\d+) oobd .*-R ?(\w+)", ps, re.M)}


def seen_all(c, begin, router):
    """Every line since, in order, and none twice."""
    c.expect(router.sent.splitlines()[-2])
    seen = [int(n) for n in re.findall(rb"line (\d+) of the router\r\n",
                                       c.out.data[begin:])]
    assert seen == list(range(seen[0], seen[0] + len(seen)))


@pytest.mark.timeout(600)
def test_life_of_a_package(clean, router, package, tmp_path):
    key, port = make_key(tmp_path / "alice"), free_port()
    before = files(clean)
    # Installed: a user, folders, an enabled service that waits for a
    # configuration.
    assert "now make /etc/oobd/oobd.conf" in install(clean, package)
    assert clean.run("id", "-gn", "oobd").stdout == "oobd\n"
    assert clean.run("stat", "-c", "%U %G %a", "/var/lib/oobd",
                     "/var/log/oobd").stdout == \
        "oobd oobd 700\noobd oobd 750\n"
    assert unit(clean, "UnitFileState") == "enabled"
    assert unit(clean, "ActiveState") == "inactive"
    assert clean.run("oobctl", "--version").stdout.strip()

    # Started.
    type_in(clean, block("docs/install.md", "apt install")[1])
    configure(clean, router, port, key)
    for line in next(b for b in blocks("docs/install.md")
                     if b[-1] == "systemctl start oobd"):
        type_in(clean, line)
    wait_for(lambda: clean.run("oobctl", "who", good=False).returncode == 0)
    first = unit(clean, "MainPID")
    kids = children(clean)
    assert {"console", "ssh", "modem"} <= set(kids)
    uid = clean.run("id", "-u", "oobd").stdout.strip()
    for pid in kids.values():
        assert f"\nUid:\t{uid}\t{uid}\t{uid}\t" in \
            clean.path(f"/proc/{pid}/status").read_text()
    host_key = clean.run("cat", "/var/lib/oobd/ssh_host_ed25519_key")
    assert "PRIVATE KEY" in host_key.stdout

    # Reloaded and upgraded with somebody attached: she feels nothing.
    c = attach(port, key, tmp_path)
    try:
        begin = c.expect(re.compile(rb"line \d+ of the router"))
        clean.run("systemctl", "reload", "oobd")
        conf = clean.path("/etc/oobd/oobd.conf")
        good = conf.read_text()
        conf.write_text(good + "nonsense = 1\n")
        assert clean.run("systemctl", "reload", "oobd",
                         good=False).returncode != 0
        conf.write_text(good)
        out = install(clean, deb(tmp_path / "two", "0.1~test2"))
        assert "the old version runs on" in out
        c.expect(b"oobd was upgraded; you stay with the old version")
        assert unit(clean, "MainPID") == first
        # What is started from now on is of the old version, too.
        clean.run("kill", "-9", kids["modem"])
        wait_for(lambda: children(clean).get("modem", kids["modem"]) !=
                 kids["modem"])
        assert os.readlink(clean.path(
            f"/proc/{children(clean)['modem']}/exe")).endswith(" (deleted)")
        assert b"of the router" in raw(clean)
        at = len(router.sent)
        wait_for(lambda: len(router.sent) > at + 100)
        seen_all(c, begin, router)
        c.send(b"\x05c.")
        c.wait()
    finally:
        c.stop()
    wait_for(lambda: clean.run("oobctl", "who",
                               "--json").stdout.strip() == "[]")

    # Upgraded with nobody there: started again.  Killed: by itself.  And
    # still every byte.
    out = install(clean, deb(tmp_path / "three", "0.1~test3"))
    assert "runs on" not in out
    second = unit(clean, "MainPID")
    assert second not in (first, "0")
    wait_for(lambda: clean.run("oobctl", "who", good=False).returncode == 0)
    clean.run("kill", "-9", second)
    wait_for(lambda: unit(clean, "MainPID") not in (second, "0") and
             clean.run("oobctl", "who", good=False).returncode == 0)
    sent = router.end()
    assert sent.count(b"\n") > 20
    wait_for(lambda: raw(clean).endswith(sent[-40:]), PATIENCE)
    assert raw(clean) == sent
    assert clean.run("cat", "/var/lib/oobd/ssh_host_ed25519_key").stdout == \
        host_key.stdout

    # Removed: it ends, the record stays.  Purged: as if it had never been.
    clean.run("apt-get", "remove", "-y", "oobd")
    assert clean.run("test", "-e", "/usr/sbin/oobd", good=False).returncode
    assert not children(clean)
    done = subprocess.run(
        [str(BUILD / "oobctl"), "-D", str(clean.path("/var/log/oobd")), "log",
         "gw", "--raw"], capture_output=True)
    assert done.stdout == sent, done.stderr
    assert clean.path("/etc/oobd/oobd.conf").exists()
    clean.run("apt-get", "purge", "-y", "oobd")
    # The lists of users have their copies; the helper of units its notes.
    left = {p for p in files(clean) - before
            if not re.search(r"/etc/(passwd|group|g?shadow|sub[ug]id)-?$|"
                             r"/etc/\.pwd\.lock$|deb-systemd-helper", p)}
    assert left == set()
    assert clean.run("id", "oobd", good=False).returncode


def pppd_in_the_unit(root):
    """What the unit leaves of root is enough for pppd: all it misses is the
    kernel's part, which this root has no node of."""
    sim = subprocess.Popen(
        root.argv("oobsim", "modem", "--link-data", "/dev/ttyDATA",
                  "--link-control", "/dev/ttyCONTROL"),
        stdout=subprocess.DEVNULL)
    try:
        with open(root.path("/etc/oobd/oobd.conf"), "a") as conf:
            conf.write('modem {\n\tdata = "/dev/ttyDATA"\n'
                       '\tcontrol = "/dev/ttyCONTROL"\n}\n')
        root.run("systemctl", "reload", "oobd")
        wait_for(lambda: "ready" in root.run("oobctl", "modem", "status",
                                             good=False).stdout, 30, 0.2,
                 root.run("oobctl", "modem", "status", good=False).stdout)
        root.run("oobctl", "link", "up", "5min")

        def failure():
            return json.loads(root.run("oobctl", "link", "status",
                                       "--json").stdout)["failure_text"]
        wait_for(failure, 30, 0.2, "pppd")
        assert "the kernel has no PPP" in failure() and \
            "Couldn't open the /dev/ppp device" in failure()
        root.run("oobctl", "link", "down")
    finally:
        sim.terminate()
        sim.wait()


@pytest.mark.timeout(600)
def test_from_the_sources(clean, router, tmp_path):
    """docs/install.md and README.md, line by line."""
    key, port = make_key(tmp_path / "alice"), free_port()
    lines = next(b for b in blocks("docs/install.md")
                 if "systemd-sysusers" in b)
    assert lines[:2] == ["sh contrib/bootstrap.sh build", "make install"]
    done = subprocess.run(lines[0], shell=True, cwd=ROOT, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    make("install", f"DESTDIR={clean.path('')}")
    for line in lines[2:]:
        # There is no udevd in there: see test_udev_takes_the_rules.
        if not line.startswith("udevadm "):
            type_in(clean, line)
    configure(clean, router, port, key)
    second = next(b for b in blocks("docs/install.md")
                  if b[-1] == "systemctl enable --now oobd")
    for line in second:
        type_in(clean, line)
    assert unit(clean, "ActiveState") == "active"
    assert unit(clean, "UnitFileState") == "enabled"
    wait_for(lambda: clean.run("oobctl", "who", good=False).returncode == 0)
    assert unit(clean, "FragmentPath").startswith("/usr/local/lib/")
    wait_for(lambda: "console gw: up" in clean.run("oobctl",
                                                   "status").stdout,
             text=clean.run("sh", "-c", "oobctl status; journalctl -u oobd")
             .stdout)
    # The README's line does no harm after that one.
    type_in(clean, block("README.md", "systemctl daemon-reload")[0])
    c = attach(port, key, tmp_path)
    try:
        c.expect(re.compile(rb"line \d+ of the router"))
    finally:
        c.stop()
    pppd_in_the_unit(clean)
    # Beside that: completions, and the lines for FreeBSD's PPP.
    line, = block("docs/install.md", ". /usr/local")
    assert "-F _oobctl" in clean.run(
        "bash", "-c", f"{line} && complete -p oobctl").stdout
    for line in block("docs/install.md", "mkdir -p /etc/ppp"):
        type_in(clean, line)
    assert clean.path("/etc/ppp/ppp.conf").read_text() == \
        "!include /etc/ppp/oobd.conf\n"
    assert clean.run("stat", "-c", "%a", "/etc/ppp/oobd.conf").stdout == \
        "600\n"
    type_in(clean, "systemctl stop oobd")
    assert not children(clean)


def test_what_the_page_says(tmp_path):
    """Paths of docs/install.md are those of make install, its links lead
    somewhere, and its commands are at least shell."""
    page = (ROOT / "docs/install.md").read_text()
    make("install", f"DESTDIR={tmp_path}", "PREFIX=/usr/local")
    rows = re.findall(r"^\| `((?:lib|share)/[^`]*)` \|", page, re.M)
    assert len(rows) >= 5
    for path in rows:
        assert (tmp_path / "usr/local" / path).exists(), path
    assert (tmp_path / "etc/oobd/oobd.conf.sample").exists()
    completion = re.search(r"^    \. (/usr/local/\S+)$", page, re.M)[1]
    assert (tmp_path / completion[1:]).exists()
    for link in re.findall(r"\]\(([^)#]+)\)", page):
        assert (ROOT / "docs" / link).exists(), link
    commands = [x[4:] for x in page.splitlines()
                if re.match(r"    (?!control_group)", x)]
    assert len(commands) > 25
    done = subprocess.run(["sh", "-n"], input="\n".join(commands), text=True,
                          capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")
    # The packages that FreeBSD's list names, less what only builds.
    listed = re.search(r'^FREEBSD_BUILD="([^"]*)"',
                       (ROOT / "contrib/bootstrap.sh").read_text(), re.M)[1]
    needed = re.search(r"^`(libssh [^`]*)`", page, re.M)[1]
    assert set(needed.split()) == \
        set(listed.split()) - {"gmake", "pkgconf"}
