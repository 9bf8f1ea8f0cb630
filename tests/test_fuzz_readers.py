"""The readers of our own files take anything; what atheris tries for long (`make fuzz`), hypothesis tries for a moment."""

import json

import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st

from fuzz.readers import READERS, SEEDS
from warpkit_cli.motion import Motion, with_own


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
def test_damaged_files_are_read_or_refused(name, data):
    text = data.draw(strategies.damaged(SEEDS[name]))
    READERS[name](text.encode(errors="surrogatepass"))


@pytest.mark.parametrize("name", READERS)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(name, data):
    READERS[name](data)


@given(lines=st.lists(strategies.json_values, max_size=5))
def test_any_json_lines_are_read_or_refused(lines):
    READERS["manifest"]("\n".join(map(json.dumps, [{"input": "a", "output": "b"}, *lines])).encode())


def refusal(own):
    try:
        with_own(Motion(**dict.fromkeys(Motion._fields)), own)
    except ValueError as error:
        return str(error)
    return ""


@given(own=strategies.motions)
def test_options_of_a_picture_are_taken_or_refused_by_name(own):
    told = refusal(own)
    assert not told or told.split(":")[0] in own
