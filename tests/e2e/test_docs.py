"""What the documents show must load as it stands, paths aside."""
import re
import subprocess

import pytest
from conftest import BUILD, ROOT


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
