from __future__ import annotations

import pytest

from channels.telegram.contents import UNREADABLE, attachments_of


def test_a_text_carries_nothing():
    assert attachments_of({"text": "hello"}) == ()


def test_the_largest_photo_counts_whatever_the_order():
    sizes = [{"file_id": "l", "width": 800, "height": 600}, {"file_id": "s", "width": 80, "height": 60}]
    (photo,) = attachments_of({"photo": sizes})
    assert (photo.ref, photo.size_bytes) == ("l", None)


def test_an_animation_is_one_file_although_it_comes_as_two():
    file = {"file_id": "a"}
    (found,) = attachments_of({"animation": file, "document": file})
    assert found.kind == "video"


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_cannot_be_read_is_named(kind: str):
    (found,) = attachments_of({kind: {"id": 1}})
    assert (found.kind, found.name, found.ref) == ("other", kind, "")
