"""OpenSSH user certificates, made by ssh-keygen: each thing wrong once."""
import itertools
import subprocess

import pytest

from conftest import BUILD, make_key

SERIAL = itertools.count(100)


class Authority:
    def __init__(self, folder, name, kind="ed25519"):
        self.folder = folder
        self.key = make_key(folder / name, kind)

    def public(self):
        return " ".join((self.folder / f"{self.key.name}.pub").read_text()
                        .split()[:2])

    def sign(self, key, *options, principals="alice", valid="-1m:+1h",
             who="alice@laptop", serial=None):
        """A certificate for this key; its file."""
        name = self.folder / f"cert{next(SERIAL)}"
        (self.folder / f"{name.name}.pub").write_text(
            (key.parent / f"{key.name}.pub").read_text())
        argv = ["ssh-keygen", "-q", "-s", str(self.key), "-I", who, "-z",
                str(serial if serial is not None else next(SERIAL)), *options]
        if principals:
            argv += ["-n", principals]
        if valid:
            argv += ["-V", valid]
        subprocess.run([*argv, f"{name}.pub"], check=True)
        return self.folder / f"{name.name}-cert.pub"


@pytest.fixture
def home(empty_site, monkeypatch):
    """alice has no key of her own in it, but an authority; so has bob."""
    s = empty_site
    monkeypatch.setenv("LD_PRELOAD", str(BUILD / "tests" / "synced.so"))
    monkeypatch.setenv("ASAN_OPTIONS",
                       "detect_leaks=0:verify_asan_link_order=0")
    s.add_line("gw")
    s.authority = Authority(s.dir, "ca")
    s.laptop = make_key(s.dir / "laptop")
    s.add_user("alice", key=s.authority.key).options = "cert-authority"
    s.add_user("bob", role="viewer", key=s.authority.key).options = \
        'cert-authority,principals="robert,oncall"'
    s.start()
    return s


def login(s, cert, login="alice", key=None):
    argv = ["ssh", *s.ssh_options(), "-i", str(key or s.laptop), "-o",
            f"CertificateFile={cert}", f"{login}@127.0.0.1", "list"]
    return s.run(None, argv=argv).returncode == 0


def test_good_ones(home):
    ca = home.authority
    assert login(home, ca.sign(home.laptop, serial=7))
    home.expect_log(r"alice logged in from .* with certificate alice@laptop "
                    r"\(serial 7\)")
    assert login(home, ca.sign(home.laptop), login="gw")
    assert login(home, ca.sign(home.laptop), login="alice:gw")
    assert login(home, ca.sign(home.laptop, principals="x,robert"),
                 login="bob")
    assert login(home, ca.sign(home.laptop, principals="oncall"), login="gw")
    assert login(home, ca.sign(home.laptop, "-O",
                               "source-address=127.0.0.0/8,10.0.0.0/8"))
    assert login(home, ca.sign(home.laptop, valid=None))    # for ever
    for kind, bits in (("ecdsa", 256), ("rsa", 3072)):
        key = make_key(home.dir / f"laptop-{kind}", kind, bits)
        assert login(home, ca.sign(key), key=key), kind


@pytest.mark.parametrize("why,options,login_as", [
    ("another user's", dict(), "bob"),
    ("nobody here", dict(principals="mallory"), "alice"),
    ("nobody here", dict(principals="bob"), "bob"),     # robert or oncall
    ("nobody here", dict(principals=None), "alice"),
    ("several users", dict(principals="alice,robert"), "gw"),
    ("has expired", dict(valid="-2h:-1h"), "alice"),
    ("not valid yet", dict(valid="+1h:+2h"), "alice"),
    ("from this address", dict(option="source-address=10.0.0.0/8"), "alice"),
    ("critical option", dict(option="force-command=/bin/sh"), "alice"),
    ("critical option", dict(option="verify-required"), "alice"),
    ("critical option", dict(option="critical:new@example.org=1"), "alice"),
])
def test_wrong_ones(home, why, options, login_as):
    options = dict(options)
    option = options.pop("option", None)
    extra = [] if option is None else ["-O", option]
    cert = home.authority.sign(home.laptop, *extra, **options)
    assert not login(home, cert, login=login_as)
    home.expect_log(rf"refused: .*{why}")


def test_other_authorities(home):
    for kind in ("ed25519", "ecdsa"):
        other = Authority(home.dir, f"other-{kind}", kind)
        assert not login(home, other.sign(home.laptop))
    # The authority's own key is no key, and one for it no login of its own.
    assert not login(home, "/dev/null", key=home.authority.key)
    # Signed by alice's certified key instead of the authority.
    evil = Authority(home.dir, "laptop2")
    assert not login(home, evil.sign(home.laptop))


def test_revoked(home):
    ca = home.authority
    certs = [ca.sign(home.laptop, serial=n, who=f"laptop {n}")
             for n in (5, 6, 7, 8, 9)]
    other = make_key(home.dir / "stolen")
    stolen = ca.sign(other)
    assert login(home, certs[0]) and login(home, stolen, key=other)
    public = (home.dir / "stolen.pub").read_text().strip()
    home.ssh_conf = ('\trevoked = {"serial:6", "serial:8-9", "id:laptop 7", '
                     f'"{public}"}}\n')
    home.reload()
    assert [login(home, c) for c in certs] == [True] + [False] * 4
    assert not login(home, stolen, key=other)
    home.expect_log("refused: revoked")


def test_authority_of_a_role(home):
    """One for all users up to a role, who are named by their own names."""
    ca = Authority(home.dir, "corp")
    home.add_user("root", role="admin")
    home.add_user("carol", role="operator")
    home.top += (f'\nauthority "corp" {{\n\tkeys = {{"{ca.public()}"}}\n'
                 '\trole = "operator"\n}\n')
    home.reload()
    for name, good in (("carol", True), ("alice", True), ("bob", True),
                       ("root", False)):
        assert login(home, ca.sign(home.laptop, principals=name),
                     login=name) == good, name


def test_clock_that_nobody_trusts(home, monkeypatch):
    """A certificate is then as good as the key in it."""
    monkeypatch.delenv("LD_PRELOAD")
    ca = home.authority
    good = ca.sign(home.laptop)
    home.stop()
    home.start()
    assert not login(home, good)
    home.expect_log("while the clock is not to be trusted")
    home.add_user("carol")
    home.reload()
    key = home.users["carol"].key
    assert login(home, ca.sign(key, principals="carol"), login="carol",
                 key=key)


def test_a_reload_ends_what_is_revoked(home):
    cert = home.authority.sign(home.laptop, serial=77)
    argv = ["ssh", *home.ssh_options(), "-tt", "-i", str(home.laptop), "-o",
            f"CertificateFile={cert}", "alice:gw@127.0.0.1"]
    c = home.client(argv, tty=True)
    c.expect(b"you have the pen")
    home.ssh_conf = '\trevoked = "serial:77"\n'
    home.reload()
    assert c.wait() == 255 or c.process.returncode == 1


def test_lines_that_cannot_be_kept(empty_site):
    s = empty_site
    s.add_line("gw")
    s.add_user("alice", key=make_key(s.dir / "rsa", "rsa", 3072))
    for options, why in (
            ("cert-authority", "an authority must be an ssh-ed25519 key"),
            ("verify-required", "does not tell whether the token verified"),
            ('principals="alice"', "add cert-authority")):
        s.users["alice"].options = options
        s.write()
        done = subprocess.run(
            [str(BUILD / "oobd"), "-n", "-f", str(s.conf)],
            capture_output=True, text=True)
        assert done.returncode == 1 and why in done.stderr, done.stderr
