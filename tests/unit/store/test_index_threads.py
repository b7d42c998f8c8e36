from lsp_server.store.files import RepositoryFile
from lsp_server.store.index import RepositoryIndex
from tests.threads import at_once


def test_threads_may_ask_at_once():
    texts = {f"part_{n}.py": f"def entry_{n}():\n    return {n}\n" for n in range(200)}
    index = RepositoryIndex.of_files(
        RepositoryFile(path, "python", text, path, 0.0) for path, text in texts.items()
    )

    def ask(seed):
        for number in range(500):
            name = f"entry_{(number * seed) % 200}"
            [place] = index.places([name], "")
            assert index.definition(place).whole == texts[place.path].rstrip("\n")
            assert index.search([name], "", 1)[0].path == place.path

    at_once(ask)
