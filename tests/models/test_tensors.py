import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.tensors import MAX_HEADER_BYTES, BadTensors, Tensor, open_plain, pieces, read_header
from tests.adapter_files import safetensors_bytes, with_header

WHOLE = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones((4,), np.float16)}
ROW = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def header_of(content: bytes, folder: Path) -> dict[str, Tensor]:
    path = folder / "weights.safetensors"
    path.write_bytes(content)
    file = open_plain(path)
    try:
        return read_header(file)
    finally:
        os.close(file)


def test_tensors_are_found_where_they_lie(tmp_path: Path):
    found = header_of(safetensors_bytes(WHOLE), tmp_path)
    assert {name: (tensor.dtype, tensor.shape) for name, tensor in found.items()} == {
        "a": ("F32", (2, 3)),
        "b": ("F16", (4,)),
    }
    file = open_plain(tmp_path / "weights.safetensors")
    assert b"".join(pieces(file, found["a"])) == WHOLE["a"].tobytes()
    os.truncate(tmp_path / "weights.safetensors", found["a"].end - 1)
    with pytest.raises(BadTensors, match="became shorter"):
        list(pieces(file, found["a"]))
    os.close(file)


def described(**rows: object) -> bytes:
    return json.dumps(rows).encode()


BROKEN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "format"),
    "seven bytes": (b"1234567", "format"),
    "a zip": (b"PK\x03\x04" + bytes(100), "pickle"),
    "a pickle": (b"\x80\x04\x95" + bytes(100), "pickle"),
    "a huge header": (struct.pack("<Q", MAX_HEADER_BYTES + 1) + bytes(100), "header"),
    "a header beyond the file": (struct.pack("<Q", 1_000) + bytes(10), "truncated"),
    "not JSON": (with_header(b"nonsense", b""), "header"),
    "deep JSON": (with_header(b"[" * 100_000, b""), "header"),
    "endless digits": (with_header(b'{"a": ' + b"9" * 10_000 + b"}", b""), "header"),
    "a list": (with_header(b"[]", b""), "header"),
    "a name twice": (with_header(b'{"a": {}, "a": {}}', b""), "header"),
    "metadata of another kind": (with_header(described(__metadata__=[1]), b""), "header"),
    "a tensor of another kind": (with_header(described(a=3), b""), "header"),
    "an unknown type": (with_header(described(a={**ROW, "dtype": "F31"}), bytes(8)), "header"),
    "a type that is none": (with_header(described(a={**ROW, "dtype": ["F32"]}), bytes(8)), "header"),
    "a negative shape": (with_header(described(a={**ROW, "shape": [-2]}), bytes(8)), "header"),
    "a true shape": (with_header(described(a={**ROW, "shape": [True, 2]}), bytes(8)), "header"),
    "a shape of many": (with_header(described(a={**ROW, "shape": [1] * 9}), bytes(8)), "header"),
    "one offset": (with_header(described(a={**ROW, "data_offsets": [0]}), bytes(8)), "header"),
    "offsets backwards": (with_header(described(a={**ROW, "data_offsets": [8, 0]}), bytes(8)), "header"),
    "another size": (with_header(described(a={**ROW, "shape": [3]}), bytes(8)), "header"),
    "an overlap": (with_header(described(a=ROW, b=ROW), bytes(8)), "header"),
    "a gap": (with_header(described(a={**ROW, "data_offsets": [8, 16]}), bytes(16)), "header"),
    "too little data": (with_header(described(a=ROW), bytes(7)), "truncated"),
    "too much data": (with_header(described(a=ROW), bytes(9)), "header"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_lying_file_is_refused(what: str, tmp_path: Path):
    content, kind = BROKEN[what]
    with pytest.raises(BadTensors) as caught:
        header_of(content, tmp_path)
    assert caught.value.kind == kind


def test_links_pipes_and_folders_are_not_opened(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("link", "pipe", "folder", "nothing"):
        with pytest.raises(OSError):  # noqa: PT011 - four kinds of it
            open_plain(tmp_path / name)


ROWS = st.dictionaries(
    st.sampled_from(["dtype", "shape", "data_offsets", "more"]),
    st.one_of(
        st.sampled_from(["F32", "BF16", "I8", "?"]),
        st.lists(st.one_of(st.integers(-2, 40), st.integers(), st.booleans(), st.floats(), st.none()), max_size=4),
        st.none(),
    ),
)
HEADERS: st.SearchStrategy[Any] = st.one_of(
    st.binary(max_size=60),
    st.dictionaries(st.text(max_size=4) | st.just("__metadata__"), ROWS | st.integers(), max_size=4).map(
        lambda table: json.dumps(table).encode()
    ),
)


@settings(max_examples=300)
@given(header=HEADERS, body=st.binary(max_size=64), claim=st.none() | st.integers(0, 2**64 - 1))
def test_any_header_is_either_true_or_refused(
    tmp_path_factory: pytest.TempPathFactory, header: bytes, body: bytes, claim: int | None
):
    content = with_header(header, body) if claim is None else struct.pack("<Q", claim) + header + body
    checked(content, tmp_path_factory.getbasetemp())


@settings(max_examples=300)
@given(position=st.integers(0, 400), value=st.integers(0, 255), cut=st.none() | st.integers(0, 400))
def test_a_good_file_with_one_byte_changed_or_its_end_cut_is_either_true_or_refused(
    tmp_path_factory: pytest.TempPathFactory, position: int, value: int, cut: int | None
):
    content = bytearray(safetensors_bytes(WHOLE))
    content[position % len(content)] = value
    checked(bytes(content[:cut]), tmp_path_factory.getbasetemp())


def checked(content: bytes, folder: Path) -> None:
    try:
        found = header_of(content, folder)
    except BadTensors:
        return
    spans = sorted((tensor.begin, tensor.end) for tensor in found.values())
    (length,) = struct.unpack("<Q", content[:8])
    ends = [8 + length, *(end for _, end in spans)]
    assert [begin for begin, _ in spans] == ends[:-1]
    assert ends[-1] == len(content)
