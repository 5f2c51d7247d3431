import numpy as np
from tailgate.rng import kernel_seed, rng, stream_key


def test_same_address_same_stream():
    assert np.array_equal(rng(1, "s", 2, 3, 4, "c", "o").random(8), rng(1, "s", 2, 3, 4, "c", "o").random(8))


def test_every_part_of_the_address_counts():
    base = (1, "s", 2, 3, 4, "c", "o")
    others = [(9, *base[1:]), (1, "t", *base[2:]), (1, "s", 9, 3, 4, "c", "o"), (1, "s", 2, 9, 4, "c", "o"), (1, "s", 2, 3, 9, "c", "o")]
    others += [(*base[:5], "d", "o"), (*base[:6], "p"), (1, "s", 3, 2, 4, "c", "o")]
    assert len({stream_key(*a) for a in [base, *others]}) == len(others) + 1
    assert stream_key(1) != stream_key("1") and stream_key("a", "b") != stream_key("ab")


def test_streams_are_uncorrelated():
    x = np.array([rng(0, "s", 0, i, 0, "c").random(256) for i in range(64)])
    c = np.corrcoef(x) - np.eye(64)
    assert np.abs(c).max() < 5.5 / np.sqrt(256)


def test_known_values_do_not_drift():
    assert stream_key(1, "street", 0, 7, 0, "lighting.sun_sky", "") == stream_key(1, "street", 0, 7, 0, "lighting.sun_sky", "")
    assert 0 <= kernel_seed(1, "x") < 2**31
