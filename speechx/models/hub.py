"""Folders of the Hugging Face hub: `org/name`, or `org/name@revision` to pin one.

Only JSON, Markdown and safetensors are fetched. HF_HUB_OFFLINE, HF_HOME and HF_ENDPOINT work as in huggingface_hub.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from speechx.errors import InputError

__all__ = ["fetch_folder", "is_hub_name", "missing_folder"]

FILES = ("*.json", "*.md", "*.safetensors", "LICENSE*")
NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(@[\w./-]+)?")


def is_hub_name(source: str | Path) -> bool:
    """Whether a string reads as `org/name[@revision]`, and there is no such path on the disk."""
    text = str(source)
    return NAME.fullmatch(text) is not None and not Path(text.partition("@")[0]).exists()


def missing_folder(source: str) -> bool:
    """Whether a string can only be a path (/x, ./x, ~/x, x/, a/b/x), and nothing is there."""
    path = (
        source.startswith(("/", ".", "~")) or source.endswith("/") or source.count("/") > 1 or "\\" in source
    )
    return path and not Path(os.path.expanduser(source)).exists()  # Path.expanduser raises for ~nobody


def fetch_folder(name: str, field: str = "model") -> Path:
    """The local copy of a repository, downloaded where it is missing. Raises InputError: a sentence with the reason."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    repo, _, revision = name.partition("@")
    try:
        return Path(snapshot_download(repo, revision=revision or None, allow_patterns=list(FILES)))
    except GatedRepoError as error:
        reason = f"{repo} is gated on the hub: accept its terms there and log in with `hf auth login`"
        raise InputError(f"{field}: {reason}", field=field) from error
    except RepositoryNotFoundError as error:
        reason = f"{repo} is neither a folder here nor a repository of the hub"
        raise InputError(f"{field}: {reason}", field=field) from error
    except RevisionNotFoundError as error:
        raise InputError(f"{field}: {repo} has no revision {revision} on the hub", field=field) from error
    except HFValidationError as error:
        raise InputError(f"{field}: {name!r} is no name of the hub", field=field) from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        reason = (
            "HF_HUB_OFFLINE is set" if _is_offline() else "the hub cannot be reached"
        ) + ", and no copy is in the cache"
        raise InputError(
            f"{field}: there is no folder {name}, and no repository of the hub can be read under this name: {reason}",
            field=field,
        ) from error
    except (OSError, ValueError) as error:  # no connection, a broken answer, a full disk
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InputError(f"{field}: {name} cannot be fetched from the hub: {reason}", field=field) from error


def _is_offline() -> bool:
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def upload_folder(folder: Path, name: str, private: bool) -> str:
    """Makes the repository where it is missing, and uploads a folder; the address of the commit. Raises InputError."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    api = HfApi(library_name="speechx")
    try:
        api.create_repo(name, private=private, exist_ok=True)
        return str(api.upload_folder(repo_id=name, folder_path=str(folder)))
    except HFValidationError as error:
        raise InputError(f"repository: {name!r} is no name of the hub", field="repository") from error
    except (HfHubHTTPError, OSError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InputError(f"repository: {name} cannot be written: {reason}", field="repository") from error
