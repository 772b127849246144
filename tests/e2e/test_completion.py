"""What the Tab key gives in bash, zsh and fish, asked of the shells."""
import os
import pty
import re
import signal
import subprocess

import pytest

from conftest import BUILD, ROOT, Site, Stream

FOLDER = ROOT / "contrib/completions"
WORDS = FOLDER / "oobctl-words.sh"


@pytest.fixture(scope="module")
def site():
    s = Site()
    try:
        s.add_line("gw")
        s.add_line("sw-1")
        s.add_user("alice")
        s.start()
        yield s
    finally:
        s.close()


@pytest.fixture
def env(tmp_path):
    """OOBCTL_WORDS as installed, and the programs in the path."""
    return {"PATH": f"{BUILD}:/usr/bin:/bin", "OOBCTL_WORDS": str(WORDS),
            "HOME": str(tmp_path), "LC_ALL": "C.UTF-8", "TERM": "dumb"}


def words(env, *typed):
    done = subprocess.run(["sh", str(WORDS), *map(str, typed)], env=env,
                          capture_output=True, text=True, timeout=20)
    assert done.stderr == ""
    return [line.split("\t")[0] for line in done.stdout.splitlines()]


def usage(*verb):
    return subprocess.run([str(BUILD / "oobctl"), "help", *verb], check=True,
                          capture_output=True, text=True).stdout


def verbs():
    return re.findall(r"^  ([a-z-]+) ", usage().split("\n\n")[0], re.M)


def test_every_verb_and_option_of_help_is_offered(env):
    assert len(verbs()) > 10
    assert [w for w in words(env, "") if w[0] != "-"] == verbs()
    for verb in verbs():
        text = usage(verb).splitlines()[0]
        text = text.split(" ", 2)[2] if text.count(" ") > 1 else ""
        # Forms are parted by bars outside of brackets; none is nested.
        flat = re.sub(r"\[[^]]*\]", lambda m: m[0].replace("|", "/"), text)
        forms = flat.split("|")
        first = [re.sub(r"\[[^]]*\]", "", f).split() for f in forms]
        lead = ["gw"] if text.startswith("CONSOLE ") else []
        plain = [[w for w in f if w.islower() and w[0] != "-"] for f in first]
        subs = [f[0] for f in plain if f]
        if subs:
            assert words(env, verb, *lead, "") == subs, verb
            assert len(subs) == len(forms)
        for form, sub in zip(forms, subs or [None]):
            wanted = set(re.findall(r"(?<![\w-])--?[A-Za-z]+", form))
            behind = [verb, *lead] + ([sub] if sub else [])
            got = set(words(env, *behind, "-"))
            assert wanted <= got, (verb, sub)
            assert got - wanted <= {"-f"}, (verb, sub)


def test_values_come_from_the_daemon(env, site):
    here = "-s", site.control
    assert words(env, *here, "attach", "") == ["gw", "sw-1"]
    assert words(env, *here, "attach", "s") == ["sw-1"]
    assert words(env, *here, "attach", "gw", "--r") == ["--ro"]
    assert "gw" not in words(env, *here, "attach", "gw", "")
    assert words(env, *here, "log", "--tail", "20", "g") == ["gw"]
    assert words(env, *here, "grep", "-C", "1", "panic", "") == ["gw", "sw-1"]
    assert words(env, *here, "grep", "panic", "gw", "s") == ["sw-1"]
    assert words(env, *here, "export", "--format", "c") == ["cast2", "cast3"]
    assert words(env, *here, "export", "--since", "now", "g") == ["gw"]
    assert words(env, *here, "set", "gw", "flow", "r") == ["rtscts"]
    assert words(env, *here, "log", "--since", "-1") == ["-15min", "-1h"]
    assert words(env, "-s", "/nonexistent", "attach", "g") == []
    c = site.client([str(BUILD / "oobctl"), "-s", str(site.control),
                     "attach", "gw"], tty=True)
    c.expect(b"gw")
    ids = words(env, *here, "kick", "")
    assert len(ids) == 1 and \
        ids[0].encode() in site.ctl("who").stdout


def test_journals_without_a_daemon(env, tmp_path):
    for name in "gw", "old":
        (tmp_path / name).mkdir()
        (tmp_path / name / "current").touch()
    (tmp_path / "other").mkdir()
    assert words(env, "-D", tmp_path, "") == ["last", "log", "grep", "replay",
                                               "export", "verify"]
    assert words(env, "-D", tmp_path, "log", "") == ["gw", "old"]
    assert words(env, "-D", "") == [":dir"]
    assert words(env, "code", "-f", "") == [":file"]


def test_nothing_typed_is_ever_run(env, tmp_path):
    trap = tmp_path / "ran"
    for bad in f"$(touch {trap})", f"`touch {trap}`", f"; touch {trap}", "*":
        words(env, "log", bad, "")
        words(env, bad, "")
        words(env, "link", "up", bad, "")
    assert not trap.exists()


BASH = """
. %s/oobctl.bash
complete -p oobctl >/dev/null || exit 1
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_oobctl
printf '%%s\\n' "${COMPREPLY[@]}"
""" % FOLDER


def in_bash(env, *typed):
    done = subprocess.run(["bash", "--norc", "-c", BASH, "bash", "oobctl",
                           *map(str, typed)], env=env, capture_output=True,
                          text=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def in_fish(env, *typed):
    line = " ".join(["oobctl", *map(str, typed)])
    done = subprocess.run(
        ["fish", "--no-config", "-c",
         f"source {FOLDER}/oobctl.fish; complete -C '{line}'"],
        env=env, capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")
    return [row.split("\t")[0] for row in done.stdout.splitlines()]


@pytest.mark.parametrize("shell", [in_bash, in_fish])
def test_in_the_shell(env, site, shell):
    assert set(verbs()) <= set(shell(env, ""))
    assert sorted(shell(env, "li")) == ["link", "list"]
    assert sorted(shell(env, "-s", site.control, "log", "")) == ["gw", "sw-1"]
    assert shell(env, "link", "ext") == ["extend"]
    assert shell(env, "log", "--fol") == ["--follow"]
    assert [x.rstrip("/") for x in shell(env, "-D", "/va")] == ["/var"]


class Zsh:
    """zsh completes on a terminal only."""

    def __init__(self, env):
        pid, fd = pty.fork()
        if pid == 0:
            os.execve("/usr/bin/env", ["env", "zsh", "-f", "-i"], env)
        self.pid, self.fd = pid, fd
        self.out = Stream(fd)
        self.run("PS1=; unset zle_bracketed_paste; unsetopt prompt_sp; "
                 f"fpath=({FOLDER} $fpath); autoload -Uz compinit; "
                 "compinit -D -u; bindkey '^I' complete-word; "
                 "zstyle ':completion:*' list-grouped no; print rea''dy\n")
        self.out.expect(b"ready\r\n")

    def run(self, text):
        os.write(self.fd, text.encode())

    def line_after_tab(self, typed):
        """The line, once Tab has made it longer and Enter was pressed."""
        start = len(self.out.settle())
        self.run(typed + "\t")
        self.out.settle(0.5)
        # ^A, and the line becomes an argument.
        self.run("\x01print -r -- '<' \x05 '>'\n")
        end = self.out.expect(re.compile(rb"\n< (.*) >\r"), start=start)
        text = self.out.data[start:end]
        return re.search(rb"\n< (.*) >\r", text).group(1).decode()

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.out.stop()
        os.close(self.fd)


def test_in_zsh(env, site):
    shell = Zsh(env)
    try:
        for typed, line in [
                ("oobctl at", "oobctl attach"),
                ("oobctl link ext", "oobctl link extend"),
                ("oobctl log --fol", "oobctl log --follow"),
                (f"oobctl -s {site.control} attach sw",
                 f"oobctl -s {site.control} attach sw-1"),
                ("oobctl -D /usr/shar", "oobctl -D /usr/share")]:
            assert shell.line_after_tab(typed).strip() == line
    finally:
        shell.close()
