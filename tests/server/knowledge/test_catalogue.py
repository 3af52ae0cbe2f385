"""Products in words that customers would read."""

from __future__ import annotations

import pytest

from config.knowledge import Parse
from server.install import ROOT
from server.knowledge.catalogue import product, products
from server.knowledge.contract import SourceRefused
from server.knowledge.kinds import Text, checked
from server.knowledge.parsing import Reader
from server.knowledge.records import TableReader

ROW = {
    "Id": "7", "name": "Heron", "price_eur": "289.00", "weight (kg)": "4", "colours": "ash|black", "in_stock": "true",
    "description": "A lamp.", "cost_price": "90", "list price CHF": "310", "price_usd": "on request", "note": " ",
}  # fmt: skip


def test_a_product():
    config = checked("catalogue", {"url": "https://shop.example/{Id}", "hide": ["cost_price"], "labels": {"Id": "No."}})
    text = product(ROW, config)
    assert text == Text(
        "product:7",
        "https://shop.example/7",
        "Heron",
        "# Heron\n\nA lamp.\n\n- No.: 7\n- Price: €289.00\n- Weight (kg): 4\n- Colours: ash, black\n- In stock: yes\n"
        "- List price: 310 CHF\n- Price: on request",
    )


def test_products_without_a_key_or_name_and_tables_without_such_columns():
    config = checked("catalogue", {})
    assert product({**ROW, "Id": ""}, config) is None
    with pytest.raises(SourceRefused, match="key"):
        product({"name": "Heron"}, config)
    with pytest.raises(SourceRefused, match="title"):
        product({"sku": "1"}, config)
    with pytest.raises(SourceRefused, match="set key to one of"):
        product(ROW, {**config, "key": "none"})


async def test_the_demo_shops_catalogue():
    reader = Reader(Parse())
    config = checked("catalogue", {"path": str(ROOT / "config/demo/products.csv")})
    async with reader.running():
        items = [item async for item in TableReader(reader, 1_000_000, products).read(config, {}, {})]
    heron = next(item for item in items if isinstance(item, Text) and item.uri == "product:MP-L01")
    assert "- Price: €289.00" in heron.text
    assert "- Colours: natural ash, smoked ash, black" in heron.text
