from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from safetensors.numpy import load_file, save_file

from kuajie.core.errors import ArtifactError
from kuajie.storage.tensors import NAMES, first_not_finite, map_tensors, sha256_of, write_tensors

ANY_ARRAY = st.sampled_from(sorted(NAMES, key=str)).flatmap(
    lambda dtype: arrays_of.arrays(dtype, arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5))
)


@given(st.dictionaries(st.text(max_size=8), ANY_ARRAY, max_size=5))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, arrays: dict[str, np.ndarray]) -> None:
    path = tmp_path_factory.mktemp("tensors") / "a.safetensors"
    digest = write_tensors(path, arrays)
    assert digest == sha256_of(path)
    again = map_tensors(path)
    assert again.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(again[name], array)
        assert again[name].dtype == array.dtype
        assert again[name].shape == array.shape


def test_the_format_is_the_one_of_the_safetensors_package(tmp_path: Path) -> None:
    arrays = {
        "权重": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "b": np.array([True, False]),
        "c": np.int64(3) * 1,
    }
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    write_tensors(tmp_path / "ours", arrays)
    theirs = load_file(tmp_path / "ours")
    save_file({name: np.ascontiguousarray(a) for name, a in arrays.items()}, tmp_path / "theirs", metadata={"k": "v"})
    ours = map_tensors(tmp_path / "theirs")
    for name, array in arrays.items():
        np.testing.assert_array_equal(theirs[name], array)
        np.testing.assert_array_equal(ours[name].reshape(array.shape), array)


def test_big_endian_arrays_are_turned(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a", {"x": np.array([1.0, 2.0], dtype=">f4")})
    np.testing.assert_array_equal(map_tensors(tmp_path / "a")["x"], [1.0, 2.0])


@pytest.mark.parametrize(
    "header",
    [
        b'{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,16]}}',
        b'{"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,8]}}',
        b'{"x":{"dtype":"F32","shape":[9223372036854775807,2],"data_offsets":[0,8]}}',
        b'{"x":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}',
        b'{"x":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}',
        b'{"x":{"dtype":"OBJ","shape":[2],"data_offsets":[0,8]}}',
        b'{"x":[]}',
        b"\xff\xfe",
        b"[1]",
    ],
)
def test_a_lying_header_is_refused(tmp_path: Path, header: bytes) -> None:
    (tmp_path / "a").write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(ArtifactError, match="damaged"):
        map_tensors(tmp_path / "a")


def test_not_finite_is_found_anywhere() -> None:
    arrays = {"a": np.ones(3), "b": np.array([[1, 2], [3, np.inf]], np.float32), "c": np.array([1])}
    assert first_not_finite(arrays) == "b"
    assert first_not_finite({"a": np.ones(3), "c": np.array([1])}) is None
