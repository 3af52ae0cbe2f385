import pytest

from training.spoken import spoken


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The parcel will be with you in two days.", "en"),
        ("Das Paket ist in zwei Tagen bei Ihnen.", "de"),
        ("El paquete llega en dos días a su casa.", "es"),
        ("Le colis est chez vous dans deux jours.", "fr"),
        ("Il pacco è da lei in due giorni, non si preoccupi.", "it"),
        ("سيصل الطرد خلال يومين مع Marlow", "ar"),
        ("€5.90", ""),
        ("", ""),
    ],
)
def test_common_words_tell_the_language(text: str, language: str) -> None:
    assert spoken(text) == language
