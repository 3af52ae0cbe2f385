"""Files that customers send: fetched with limits, checked, kept, and turned into what the model can read.

``reading`` is what the engine asks, ``download`` fetches and checks one file, ``kinds`` tells types by content,
``files`` keeps them on disk and gives out short-lived addresses, ``transcription`` asks a speech-to-text service.
"""

from server.media.files import Addresses, Files
from server.media.reading import Code, Media, Problem, Reading

__all__ = ["Addresses", "Code", "Files", "Media", "Problem", "Reading"]
