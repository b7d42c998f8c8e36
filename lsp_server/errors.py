"""Every error that Tenon raises on purpose; each message says what the user can do.

TenonError
├── SettingsError            a setting or tenon.toml that cannot be used
├── ModelError
│   ├── UnknownModelError    no such name in the catalogue or the store
│   ├── CorruptModelError    truncated, tampered with, or no GGUF at all
│   ├── UnknownFormatError   a GGUF whose fill-in-the-middle format must be named
│   └── DownloadError        the index or hub could not deliver the file
│       └── DownloadCancelledError   the user asked to stop
├── AdapterError             an adapter that cannot be stored, read or served
│   ├── UnknownAdapterError  no such adapter of this repository
│   ├── CorruptAdapterError  its file is gone, or not the one that was published
│   └── WrongBaseError       it was trained over another model
├── NotNowError              training is refused for now, and may be tried again later
│   └── RunBusyError         another run trains this repository, or another one on this machine
├── TrainerUnavailableError  nobody learns this repository here: off, not set up, or elsewhere
├── EngineError
│   ├── EngineUnavailableError   not running, still loading, or out of reach
│   ├── EngineStartError         it was started and ended again
│   └── EngineRequestError       it refused the request (4xx)
└── DocumentError            a file that cannot be completed in (binary, too large)
"""


class TenonError(Exception):
    """Base of all errors raised on purpose."""


class SettingsError(TenonError):
    """A setting or a tenon.toml that cannot be used."""


class ModelError(TenonError):
    """Base of what can be wrong with a model file."""


class UnknownModelError(ModelError):
    """No such name in the catalogue or in the store."""


class CorruptModelError(ModelError):
    """The file is truncated, was tampered with, or is no GGUF."""


class UnknownFormatError(ModelError):
    """The fill-in-the-middle format is not recognisable from the file's metadata."""


class DownloadError(ModelError):
    """The package index or the hub could not deliver the file."""


class DownloadCancelledError(DownloadError):
    """The user asked to stop; what had arrived from a hub is kept for the next time."""


class AdapterError(TenonError):
    """Base of what can be wrong with an adapter."""


class UnknownAdapterError(AdapterError):
    """No such adapter of this repository."""


class CorruptAdapterError(AdapterError):
    """The adapter's file is gone, or is not the one that was published."""


class WrongBaseError(AdapterError):
    """The adapter was trained over another model than the one that serves."""


class NotNowError(TenonError):
    """Training is refused for now (too little memory, …); trying again later may help."""


class RunBusyError(NotNowError):
    """Another run trains this repository, or another repository on this machine."""


class TrainerUnavailableError(TenonError):
    """Nobody learns the repository here: switched off, not set up, or watched elsewhere."""


class EngineError(TenonError):
    """Base of what can go wrong between a client and its engine."""


class EngineUnavailableError(EngineError):
    """Not running, still loading, or out of reach; trying again later may help."""


class EngineStartError(EngineError):
    """The engine was started and ended before it was ready."""


class EngineRequestError(EngineError):
    """The engine refused the request.

    ``status`` is the HTTP status, ``param`` the name of the offending field if there is one.
    """

    def __init__(self, message: str, *, status: int = 400, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.param = param


class DocumentError(TenonError):
    """A document that cannot be completed in: binary, or too large."""
