"""The supervisor's side of PPP in a guest: pppd run, watched and ended by our
own processes, host routes over it while another interface has the default
route, and nothing left behind whatever is killed.

A driver (src/ppp_driver.c) stands where the modem process does; the carrier is
slirp right at the other end of the guest's adapter."""
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import tty

import pytest
from box import program
from guest import NETWORK_MODULES, USB_ARGS, USB_MODULES, Guest, connect, \
    usb_serial, wait_for
from image import Image
from kernel import ROOT, LabError

NODE = "/dev/ttyUSB0"
RUN = "/var/oobd/run"
NOTE = f"{RUN}/ppp"
# slirp names no address of its own; networks do.
OPTIONS = "10.0.2.15:10.0.2.2\n"
SECRET = "correct horse # \\ battery"


class Carrier:
    """slirp between two bytes streams: its pty and QEMU's socket."""

    def __init__(self, path):
        slirp = shutil.which("slirp-fullbolt")
        if slirp is None:
            raise LabError("slirp-fullbolt is not there: package slirp")
        self.sock = connect(path)
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.p = subprocess.Popen([slirp, "ppp"], stdin=slave, stdout=slave,
                                  stderr=subprocess.DEVNULL,
                                  start_new_session=True)
        os.close(slave)
        self.silent = False
        self.threads = [threading.Thread(target=t, daemon=True)
                        for t in (self.up, self.down)]
        for t in self.threads:
            t.start()

    def up(self):
        try:
            while (data := self.sock.recv(4096)):
                if not self.silent:
                    os.write(self.master, data)
        except OSError:
            pass

    def down(self):
        try:
            while (data := os.read(self.master, 4096)):
                if not self.silent:
                    self.sock.sendall(data)
        except OSError:
            pass

    def stop(self):
        self.p.send_signal(signal.SIGKILL)
        self.p.wait()
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        for t in self.threads:
            t.join(5)
        os.close(self.master)


class Banner:
    """A server on this host's loopback that says SSH-2.0."""

    def __init__(self):
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        try:
            while True:
                c, _ = self.sock.accept()
                c.sendall(b"SSH-2.0-lab\r\n")
                c.close()
        except OSError:
            pass

    def stop(self):
        self.sock.close()


class Lab:
    def __init__(self, kernel, work):
        self.work, self.parts, self.starts = work, [], 0
        try:
            self.server = self.add(Banner())
            self.guest = self.add(Guest(
                self.image(kernel), work, args=USB_ARGS
                + ["-nic", "user,model=virtio-net-pci,restrict=on,"
                   "net=10.0.9.0/24"]
                + usb_serial("data", work / "data")))
            self.shell = self.guest.go().shell
            self.plug()
        except BaseException:
            self.stop()
            raise

    def add(self, part):
        self.parts.append(part)
        return part

    def image(self, kernel):
        subprocess.run(["make", "-s", f"B={program('oobd').parent}",
                        str(program("oobd").parent / "tests/ppp_driver")],
                       cwd=ROOT, check=True)
        im = Image(kernel)
        im.load(*NETWORK_MODULES, *USB_MODULES, "ppp_generic", "ppp_async")
        im.run("ifconfig eth0 10.0.9.15 netmask 255.255.255.0 up; "
               "route add default gw 10.0.9.2")
        im.program(program("oobd"))
        im.program(program("oobd").parent / "tests/ppp_driver")
        im.program("/usr/sbin/pppd", "usr/sbin/pppd")
        im.file("etc/ppp/options", OPTIONS)
        im.file("etc/ppp/ip-up", "#!/bin/sh\necho $* >/tmp/ip-up-ran\n", 0o755)
        im.file("etc/resolv.conf", "nameserver 10.0.9.3\n")
        im.file("etc/secret", SECRET + "\n", 0o600)
        im.run(f"mkdir -p {RUN} /var/run/pppd /var/lock /run/lock")
        return im

    def plug(self):
        self.guest.qmp("device_add", driver="usb-serial", chardev="data",
                       id="data", **{"always-plugged": True})
        wait_for(NODE, lambda: self.shell(f"test -c {NODE} && echo yes",
                                          check=False).strip() == "yes")

    def start_driver(self):
        self.starts += 1
        self.skipped = 0
        self.out, self.err = f"/tmp/out.{self.starts}", \
            f"/tmp/err.{self.starts}"
        self.shell(
            f"rm -f /tmp/cmd; mkfifo /tmp/cmd; exec 9<>/tmp/cmd; "
            f"(setsid ppp_driver /usr/bin/oobd {RUN} user /etc/secret "
            f"<&9 >{self.out} 2>{self.err} 9<&- &)")
        self.wait("ready")

    def said(self):
        """What the driver said since skip()."""
        return self.shell(f"cat {self.out}")[self.skipped:]

    def skip(self):
        self.skipped += len(self.said())

    def told(self):
        return self.said() + self.shell(
            f"cat {self.err}; ps | grep -v '\\['; ifconfig -a; route -n")

    def wait(self, mark, limit=40):
        """The line that has mark, which is a regular expression."""
        def line():
            return re.search(f".*(?:{mark}).*", self.said())
        return wait_for(lambda: f"{mark}: {self.told()}", line, limit,
                        0.2)[0]

    def order(self, line):
        self.shell(f"echo '{line}' >&9")

    def pids(self, name):
        return [int(p) for p in self.shell(f"pidof {name}",
                                           check=False).split()]

    def watcher(self):
        """The process that watches pppd."""
        return int(self.shell("for p in $(pidof oobd); do grep -qsa "
                              "'ppp.*run' /proc/$p/cmdline && echo $p; done"))

    def call(self, seconds=300):
        self.order(f"start {seconds} {NODE}")
        return self.wait("up if=ppp0")

    def nothing_left(self, limit):
        """PPP, its interface and routes, the note: all gone."""
        def left():
            return self.pids("pppd") + re.findall(
                r"ppp0", self.shell("cat /proc/net/route /proc/net/dev"))
        wait_for(lambda: self.told(), lambda: not left(), limit, 0.1)
        wait_for(lambda: self.told(), lambda: self.shell(
            f"test -e {NOTE} || echo gone") == "gone\n", 5, 0.1)

    def end_driver(self):
        self.shell("exec 9>&-; killall ppp_driver", check=False)
        wait_for("its end", lambda: not self.pids("ppp_driver"), 10)

    def stop(self):
        for part in reversed(self.parts):
            part.stop()


@pytest.fixture(scope="module")
def machine(stock_kernel, work):
    it = Lab(stock_kernel, work)
    yield it
    it.stop()


@pytest.fixture
def lab(machine):
    """With a carrier and a driver of its own."""
    carrier = Carrier(machine.work / "data")
    machine.carrier = carrier
    machine.start_driver()
    yield machine
    machine.end_driver()
    machine.nothing_left(10)
    carrier.stop()


def test_up_and_proven(lab):
    line = lab.call()
    assert "local=10.0.2.15 peer=" in line
    routes = lab.shell("cat /proc/net/route")
    default = [r.split() for r in routes.splitlines()
               if r.split()[1] == "00000000"]
    assert [d[0] for d in default] == ["eth0"], routes
    # Before its route is there it would go the other way.
    lab.order("add 127.0.0.1")
    lab.wait("route 127.0.0.1: not the address of a host")
    lab.order("add 10.0.2.2")
    lab.wait("route 10.0.2.2: ok")
    lab.order("counters")
    before = lab.wait("counters 0").split()[2:]
    lab.order(f"prove 10.0.2.2 {lab.server.port}")
    assert lab.wait("proven:|not connected|silent") == "proven: SSH-2.0"
    lab.skip()
    lab.order("counters")
    after = lab.wait("counters 0").split()[2:]
    assert int(after[0]) > int(before[0]) + 100
    assert int(after[1]) > int(before[1]) + 100
    # What it must not touch, and must not tell.
    assert lab.shell("cat /etc/resolv.conf") == "nameserver 10.0.9.3\n"
    assert lab.shell("test -e /tmp/ip-up-ran || echo no") == "no\n"
    words = lab.shell("cat /proc/[0-9]*/cmdline | tr '\\000' ' '")
    assert "pppd nodetach" in words and SECRET[:7] not in words
    assert SECRET[:7] not in lab.shell(f"cat {lab.err}")
    lab.order("remove 10.0.2.2")
    wait_for("no route", lambda: "0202000A" not in
             lab.shell("cat /proc/net/route"))
    lab.order("stop")
    assert "failure= text=ended when asked to" in lab.wait("ended if=", 5)
    lab.nothing_left(1)


def test_its_time_is_over(lab):
    lab.call()
    lab.order("life 1")
    assert "failure= text=its time was over" in lab.wait("ended if=", 10)


def test_the_line_is_given_back(lab):
    """After SIGKILL, too, the terminal is one, and takes the next call."""
    lab.call()
    lab.shell("killall -KILL pppd")
    assert "failure=E-DEAD text=PPP was killed" in lab.wait("ended if=", 10)
    lab.nothing_left(5)
    lab.wait("job over")
    assert "speed" in lab.shell(f"stty -F {NODE}")
    lab.skip()
    lab.call()


def test_one_that_ignores_term(lab):
    lab.call()
    lab.order("add 10.0.2.2")
    lab.wait("route 10.0.2.2: ok")
    lab.shell("killall -STOP pppd")
    begin = time.monotonic()
    lab.order("stop")
    # The way is closed at once, even if PPP takes its time.
    wait_for("no route", lambda: "0202000A" not in
             lab.shell("cat /proc/net/route"), 2, 0.1)
    assert "failure= text=ended when asked to" in lab.wait("ended if=", 8)
    assert 2.5 < time.monotonic() - begin < 7
    lab.nothing_left(1)


def test_unplugged(lab):
    lab.call()
    lab.guest.qmp("device_del", id="data")
    lab.guest.qmp.wait_event("DEVICE_DELETED")
    assert "failure=E-DEAD text=the network hung up" in \
        lab.wait("ended if=", 20)
    lab.nothing_left(5)
    lab.plug()


def test_nobody_answers(lab):
    """A modem that says CONNECT and nothing more."""
    lab.carrier.silent = True
    lab.order(f"start 300 {NODE}")
    lab.wait("negotiating")
    assert "failure=E-PDP" in lab.wait("ended if=", 60)


def test_only_one_at_a_time(lab):
    lab.call()
    lab.order(f"start 300 {NODE}")
    assert "failure=E-PPP text=the PPP before has not ended yet" in \
        lab.wait("ended if=", 10)
    assert lab.pids("pppd")


def test_daemon_killed(lab):
    """The supervisor dies by SIGKILL: a paid link must not stay."""
    lab.call()
    lab.order("add 10.0.2.2")
    lab.wait("route 10.0.2.2: ok")
    lab.shell("killall -KILL ppp_driver")
    lab.nothing_left(6)
    wait_for("no oobd", lambda: not lab.pids("oobd"), 5)
    lab.start_driver()
    lab.call()


def test_all_killed(lab):
    """Everything of ours at once: the kernel ends pppd, the note tells the
    next start what was."""
    lab.call()
    lab.order("add 10.0.2.2")
    lab.wait("route 10.0.2.2: ok")
    lab.shell(f"kill -KILL {lab.watcher()} {lab.pids('ppp_driver')[0]}")
    wait_for("pppd's end", lambda: not lab.pids("pppd"), 5, 0.1)
    assert "route 10.0.2.2" in lab.shell(f"cat {NOTE}")
    lab.start_driver()
    lab.nothing_left(5)


def test_watcher_killed(lab):
    lab.call()
    lab.shell(f"kill -KILL {lab.watcher()}")
    assert "failure=E-PPP text=the process that watches PPP died" in \
        lab.wait("ended if=", 5)
    lab.nothing_left(5)


def test_left_behind(lab):
    """A pppd of ours that nobody watches is ended at the next start; one that
    only its number is of is not."""
    lab.end_driver()
    lab.shell(f"(setsid pppd nodetach {NODE} 115200 local noauth "
              f"maxfail 0 persist ipparam oobd >/dev/null 2>&1 &)")
    pid = wait_for("pppd", lambda: lab.pids("pppd"))[0]
    other = int(lab.shell("sleep 500 >/dev/null 2>&1 & echo $!"))
    lab.shell(f"printf 'pid {other}\\n' >{NOTE}")
    lab.start_driver()
    wait_for("cleaned", lambda: not lab.shell(f"ls {RUN}").strip(), 10)
    lab.end_driver()
    assert lab.pids("pppd") == [pid] and other in lab.pids("sleep")
    lab.shell(f"printf 'pid {pid}\\ninterface ppp0\\nroute 10.0.2.2\\n' "
              f">{NOTE}")
    lab.start_driver()
    lab.nothing_left(10)
    lab.shell(f"kill {other}")
