import sys
from concurrent.futures import ThreadPoolExecutor

from lsp_server.store.files import RepositoryFile
from lsp_server.store.index import RepositoryIndex


def test_threads_may_ask_at_once():
    texts = {f"part_{n}.py": f"def entry_{n}():\n    return {n}\n" for n in range(200)}
    index = RepositoryIndex.of_files(
        RepositoryFile(path, "python", text, path, 0.0) for path, text in texts.items()
    )
    interval = sys.getswitchinterval()

    def ask(seed):
        for number in range(500):
            name = f"entry_{(number * seed) % 200}"
            [place] = index.places([name], "")
            assert index.definition(place).whole == texts[place.path].rstrip("\n")
            assert index.search([name], "", 1)[0].path == place.path

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(ask, (1, 3, 7, 11)))
    finally:
        sys.setswitchinterval(interval)
