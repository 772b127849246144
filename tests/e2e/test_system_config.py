"""What a system's files in /etc/ssh say of libssh's servers and clients is
not for this daemon: nobody who edits them means it."""
import os

import pytest
from conftest import free_port
from relay_site import QUICK, Relay, RelaySite

ONLY = "chacha20-poly1305@openssh.com"
# In a mount namespace of its own, before oobd runs.
UNDER = ["unshare", "-m", "sh", "-c",
         'mount --bind "$0" /etc/ssh && exec "$@"']

pytestmark = pytest.mark.skipif(os.geteuid() != 0,
                                reason="mounts over /etc/ssh")


@pytest.fixture
def etc_ssh(tmp_path):
    """Either file, taken at its word, ends every connection of this test."""
    folder = tmp_path / "ssh"
    folder.mkdir()
    (folder / "libssh_server_config").write_text("Ciphers aes256-ctr\n")
    (folder / "ssh_config").write_text("Host *\n\tCiphers aes256-ctr\n")
    return folder


def test_is_not_heeded(etc_ssh, request):
    relay = Relay(config=f"Ciphers {ONLY}\n" + QUICK).start()
    site = RelaySite()
    request.node.sites = [site]
    try:
        port = free_port()
        site.under = [*UNDER, str(etc_ssh)]
        site.sandbox = False        # which could not read them anyway
        site.add_line("gw", echo=True)
        site.add_user("alice", role="admin")
        site.add_relay("cloud", relay, port, listen=[f"localhost:{port}"])
        site.start()
        done = site.run("alice", "-c", ONLY, "list")
        assert done.returncode == 0 and b"gw" in done.stdout, done.stderr
        site.await_relay("cloud", "proven")
    finally:
        site.close()
        relay.close()
