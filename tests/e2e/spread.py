"""How tests are shared out when several run side by side (pytest -n): each by
itself, to whoever is free, but for files whose tests have something in
common."""
from functools import lru_cache
from pathlib import Path

try:
    from xdist.scheduler import LoadScopeScheduling
except ImportError:                     # then they run one by one
    LoadScopeScheduling = object

HERE = Path(__file__).resolve().parent


@lru_cache(maxsize=None)
def shares(path):
    return 'scope="module"' in (HERE / Path(path).name).read_text()


class Spread(LoadScopeScheduling):
    def _split_scope(self, nodeid):
        path = nodeid.split("::", 1)[0]
        return path if shares(path) else nodeid
