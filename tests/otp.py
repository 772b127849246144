"""One-time codes as an authenticator app makes them (RFC 4226)."""
import base64
import hashlib
import hmac
import re
import struct
import urllib.parse


class Codes:
    """Of the secret in what `oobctl code new` printed."""

    def __init__(self, printed):
        uri = urllib.parse.urlparse(
            re.search(r"^otpauth://\S+$", printed, re.M).group(0))
        query = urllib.parse.parse_qs(uri.query)
        secret = query["secret"][0]
        self.secret = base64.b32decode(secret + "=" * (-len(secret) % 8))
        self.counter = int(query["counter"][0])
        self.given = []

    def at(self, counter):
        digest = hmac.new(self.secret, struct.pack(">Q", counter),
                          hashlib.sha1).digest()
        at = digest[-1] & 15
        value = struct.unpack(">I", digest[at:at + 4])[0] & 0x7fffffff
        return f"{value % 10**8:08}"

    def next(self):
        code = self.at(self.counter)
        self.counter += 1
        self.given.append(code)
        return code

    def wrong(self):
        """Another one each time; none that is good, was, or will be soon."""
        near = {self.at(c) for c in range(max(0, self.counter - 250),
                                          self.counter + 250)}
        code = next(c for c in (f"{n:08}" for n in range(10203040, 99999999))
                    if c not in near and c not in self.given)
        self.given.append(code)
        return code
