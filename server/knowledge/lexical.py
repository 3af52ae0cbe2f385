"""Search by words: tantivy's BM25 in this process's memory, filled from the database."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Sequence
from typing import Any

from server.knowledge.contract import Audience, Chunk, Hit, IndexUnavailable
from server.knowledge.stopwords import STOPWORDS

WRITER_BYTES = 30_000_000  # tantivy wants 15 MB at least; one thread, it shares the machine with a model
LONGEST_WORD = 64
MOST_WORDS = 64  # of a question: a longer text says nothing more about what is sought
PLACE_BOOST = 1.5  # title and headings; chosen on development questions, as is that a word counts once, not per field


class TantivyIndex:
    """Any-term search over stemmed words of texts, titles and headings; accents and capitals do not matter.

    Every method may be called from any thread; ``search`` never waits for ``replace`` or ``commit``.
    """

    def __init__(self) -> None:
        try:
            self._tantivy: Any = importlib.import_module("tantivy")
        except ImportError as error:
            raise IndexUnavailable("tantivy is not installed; install frontdesk[knowledge]") from error
        builder = self._tantivy.SchemaBuilder()
        builder.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
        builder.add_text_field("document", tokenizer_name="raw", index_option="basic")
        builder.add_text_field("audience", tokenizer_name="raw", index_option="basic")
        builder.add_text_field("text", tokenizer_name="stemmed", index_option="freq")
        builder.add_text_field("place", tokenizer_name="stemmed", index_option="freq")
        self._schema = builder.build()
        self._index = self._tantivy.Index(self._schema)
        self._stemmed, self._folded = self._analyzer("english"), self._analyzer("")
        self._index.register_tokenizer("stemmed", self._stemmed)
        self._writer = self._index.writer(heap_size=WRITER_BYTES, num_threads=1)
        self._writing = threading.Lock()
        self._changed = False

    def _analyzer(self, language: str) -> Any:
        kinds = self._tantivy.Filter
        builder = self._tantivy.TextAnalyzerBuilder(self._tantivy.Tokenizer.simple())
        builder = builder.filter(kinds.remove_long(LONGEST_WORD)).filter(kinds.lowercase()).filter(kinds.ascii_fold())
        return (builder.filter(kinds.stemmer(language)) if language else builder).build()

    def replace(self, document_id: str, chunks: Sequence[Chunk]) -> None:
        """Put a document's chunks in place of its former ones; found from the next ``commit`` on."""
        with self._writing:
            self._writer.delete_documents_by_term("document", document_id)
            self._add(chunks)

    def extend(self, chunks: Sequence[Chunk]) -> None:
        """Add more chunks of documents that were replaced just before."""
        with self._writing:
            self._add(chunks)

    def _add(self, chunks: Sequence[Chunk]) -> None:
        for chunk in chunks:
            fields = {
                "id": chunk.id,
                "document": chunk.document_id,
                "audience": chunk.audience,
                "text": chunk.text,
                "place": f"{chunk.title} {chunk.heading}",
            }
            self._writer.add_document(self._tantivy.Document(**fields))
        self._changed = True

    def commit(self) -> None:
        """Make what was replaced findable; nothing to do costs nothing."""
        with self._writing:
            if self._changed:
                self._writer.commit()
                self._index.reload()
                self._changed = False

    def count(self) -> int:
        """How many chunks can be found."""
        return int(self._index.searcher().num_docs)

    def search(self, text: str, audience: Audience, limit: int) -> list[Hit]:
        """Best first by BM25; staff see everything, customers what is meant for them."""
        query = self._query(text, audience)
        if query is None:
            return []
        searcher = self._index.searcher()
        found = searcher.search(query, limit, count=False).hits
        ids = [searcher.doc(address).get_first("id") for _, address in found]
        return [Hit(name, float(score), at) for at, ((score, _), name) in enumerate(zip(found, ids, strict=True), 1)]

    def _query(self, text: str, audience: Audience) -> Any:
        make, occur = self._tantivy.Query, self._tantivy.Occur
        terms = []
        for word in self._words(text):
            in_text = make.term_query(self._schema, "text", word, index_option="freq")
            in_place = make.term_query(self._schema, "place", word, index_option="freq")
            terms.append((occur.Should, make.disjunction_max_query([in_text, make.boost_query(in_place, PLACE_BOOST)])))
        if not terms:
            return None
        any_term = make.boolean_query(terms)
        if audience == "staff":
            return any_term
        hidden = make.term_query(self._schema, "audience", "staff", index_option="basic")
        return make.boolean_query([(occur.Must, any_term), (occur.MustNot, hidden)])

    def _words(self, text: str) -> list[str]:
        """The stems that are looked for; a question of nothing but small words is taken as it is."""
        words = self._folded.analyze(text)
        telling = [word for word in words if word not in STOPWORDS] or words
        return list(dict.fromkeys(self._stemmed.analyze(" ".join(telling[:MOST_WORDS]))))
