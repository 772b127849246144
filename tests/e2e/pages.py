"""The command blocks of the documents: runs of lines that stand four blanks
in, as a reader copies them."""
import re

from conftest import ROOT


def blocks(page):
    """Each a list of lines, without the four blanks."""
    text = (ROOT / page).read_text()
    text = re.sub(r"^```.*?^```$", "", text, flags=re.S | re.M)
    return [re.sub(r"^    ", "", b, flags=re.M).rstrip("\n").split("\n")
            for b in re.findall(r"(?:^    .*\n(?:^\n(?=    ))?)+", text,
                                re.M)]


def block(page, first):
    """The one that begins with a line that begins so."""
    found = [b for b in blocks(page) if b[0].startswith(first)]
    assert len(found) == 1, (page, first, found)
    return found[0]
