import pytest

from training.refusals import refuses

REFUSALS = [
    "I could not find an answer to that in our documents. I can pass your question on to a person.",
    "Dazu habe ich in unseren Unterlagen keine Antwort gefunden. Ich kann Ihre Frage an einen Menschen weitergeben.",
    "No he encontrado una respuesta a eso en nuestra documentación. Puedo pasar su pregunta a una persona.",
    "لم أجد إجابة عن ذلك في وثائقنا. يمكنني تحويل سؤالك إلى أحد الموظفين.",
    "I'm sorry, but I don't know.",
    "Sorry, I don\u2019t have any information about that.",
    "We are not sure whether that works.",
    "The passages do not mention a discount.",
    "That is not mentioned in the sources.",
    "I'm unable to find that.",
    "Das weiß ich leider nicht.",
    "Das kann ich Ihnen leider nicht sagen.",
    "Dazu steht nichts da, es ist nicht angegeben.",
    "No lo sé, pero puedo preguntar.",
    "No tengo información sobre eso.",
    "Je ne sais pas.",
    "Non lo so.",
]
ANSWERS = [
    "",
    "Yes, delivery costs €5.90 [1].",
    "You do not know your size? Measure the bed first.",
    "We do not ship on Sundays [1].",
    "Returns are free within 30 days [2]. It is not sold in shops.",
    "Nein, die Lampe ist nicht dimmbar [1].",
    "No, no es lavable a máquina [1].",
    "The blanket is 140 cm wide [1]. It comes in red. I do not know about blue.",
    "The lamp cannot be dimmed [1].",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_is_recognised(text: str) -> None:
    assert refuses(text)


@pytest.mark.parametrize("text", ANSWERS)
def test_an_answer_is_no_refusal(text: str) -> None:
    assert not refuses(text)
