from server.auth.tokens import csrf_token, fingerprint, key_id, new_key, new_token, same


def test_tokens_are_256_bits_and_never_repeat():
    tokens = {new_token() for _ in range(1_000)}
    assert len(tokens) == 1_000
    assert all(len(token) == 43 for token in tokens)


def test_a_key_names_itself_and_only_well_formed_text_is_a_key():
    key = new_key()
    assert key_id(key.text) == key.id
    assert fingerprint(key.text) == key.key_hash
    assert key.key_hash not in key.text
    for wrong in ("", "fd_", f"fd_{key.id}", key.text + "x", key.text.replace("fd_", "xx_"), "fd_\0_x", "fd_' or 1_x"):
        assert key_id(wrong) == ""


def test_the_request_token_depends_on_the_cookie_and_reveals_nothing_of_it():
    assert csrf_token("a") == csrf_token("a") != csrf_token("b")
    assert csrf_token("a") not in {fingerprint("a"), "a"}


def test_comparison_takes_any_text():
    assert same("ä\udc80", "ä\udc80")
    assert not same("a", "ä")
