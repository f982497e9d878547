"""Who is looked at again, in which order, and what becomes of the judgements."""

import csv

import pytest

from training.faces_reviewed import (
    NEUTRAL,
    SMILING,
    UNCLEAR,
    Review,
    read_reviews,
    reviewed_labels,
    tally,
    wilson,
    write_reviews,
)
from training.review_accuracy import accuracies
from training.review_records import (
    JUDGED,
    InvalidReview,
    Round,
    disputed,
    joined,
    read_scores,
    write_scores,
)
from training.review_selection import (
    AGAIN,
    DISAGREEMENT,
    FILLER,
    RANDOM,
    Selected,
    disagreements,
    select,
    select_again,
)
from training.review_summary import summary

LABELS = {f"{number:03}.jpg": number % 2 == 0 for number in range(300)}
AGREED = {file: [0.9, 0.8] if label else [0.1, 0.2] for file, label in LABELS.items()}
DISPUTED = ("004.jpg", "007.jpg", "011.jpg")
SCORES = AGREED | {
    "004.jpg": [0.49, 0.9],  # the first network says neutral
    "007.jpg": [0.1, 0.5],  # the second says smiling: from the threshold on
    "011.jpg": [0.9, 0.9],
}


def judged(folder, name, selected, judgements):
    """A round with its key and what the reviewer wrote."""
    one = Round.named(name, folder)
    one.write_key(selected)
    one.folder.mkdir(parents=True, exist_ok=True)
    with (one.folder / JUDGED).open("w", newline="") as file:
        csv.writer(file).writerows((("index", "judgement"), *judgements))
    return one


def test_a_face_is_disputed_if_any_network_decides_otherwise_than_its_label():
    assert disagreements(LABELS, SCORES) == frozenset(DISPUTED)


def test_all_disputed_faces_come_and_as_many_random_and_agreed_ones_as_wanted():
    selected = select(LABELS, SCORES, chance=40, fillers=30, seed=1)
    by_reason = {
        reason: {one.file for one in selected if reason in one.reasons}
        for reason in (DISAGREEMENT, RANDOM, FILLER)
    }

    assert by_reason[DISAGREEMENT] == set(DISPUTED)
    assert len(by_reason[RANDOM]) == 40
    assert len(by_reason[FILLER]) == 30
    assert not by_reason[FILLER] & (by_reason[RANDOM] | by_reason[DISAGREEMENT])
    assert len({one.file for one in selected}) == len(selected)


def test_of_many_disputed_faces_as_many_come_as_wanted():
    selected = select(LABELS, SCORES, chance=0, fillers=0, seed=1, most=2)

    assert len(selected) == 2
    assert {one.file for one in selected} < set(DISPUTED)


def test_the_order_follows_from_the_seed_and_tells_neither_name_nor_reason():
    selected = select(LABELS, SCORES, chance=40, fillers=30, seed=1)

    assert selected == select(LABELS, SCORES, chance=40, fillers=30, seed=1)
    assert selected != select(LABELS, SCORES, chance=40, fillers=30, seed=2)
    assert [one.file for one in selected] != sorted(one.file for one in selected)
    places = [place for place, one in enumerate(selected) if FILLER in one.reasons]
    assert places != list(range(places[0], places[0] + len(places)))


def test_faces_looked_at_before_do_not_come_again():
    selected = select(LABELS, SCORES, chance=0, fillers=300, seed=1, seen={"004.jpg", "000.jpg"})

    assert {one.file for one in selected} == LABELS.keys() - {"004.jpg", "000.jpg"}


def test_a_random_sample_is_not_drawn_from_what_is_left():
    with pytest.raises(ValueError, match="looked at before"):
        select(LABELS, SCORES, chance=10, fillers=0, seed=1, seen={"000.jpg"})


def test_corrected_faces_come_again_among_as_many_confirmed_ones():
    corrected = set(DISPUTED)

    selected = select_again(corrected, LABELS.keys() - corrected, seed=1)

    assert len(selected) == 6
    assert corrected < {one.file for one in selected}
    assert {one.reasons for one in selected} == {(AGAIN,)}


FACES = (Selected("b.jpg", (RANDOM,)), Selected("a.jpg", (DISAGREEMENT, RANDOM)))


def test_judgements_find_their_faces_by_number(tmp_path):
    one = judged(tmp_path, "one", FACES, [(2, SMILING), (1, UNCLEAR)])

    assert joined([one]) == (
        Review("b.jpg", UNCLEAR, "", (RANDOM,)),
        Review("a.jpg", SMILING, "", (DISAGREEMENT, RANDOM)),
    )


@pytest.mark.parametrize(
    ("judgements", "complaint"),
    [
        ([(1, SMILING)], "1 faces are not judged: 2"),
        ([(1, SMILING), (2, NEUTRAL), (3, NEUTRAL)], "3 is on no sheet"),
        ([(1, SMILING), (2, NEUTRAL), (1, NEUTRAL)], "1 is judged twice"),
        ([(1, SMILING), (2, "happy")], "2 is 'happy', not smiling, neutral or unclear"),
    ],
)
def test_judgements_that_do_not_fit_the_sheets_are_refused(tmp_path, judgements, complaint):
    one = judged(tmp_path, "one", FACES, judgements)

    with pytest.raises(InvalidReview, match=complaint):
        joined([one])


def test_a_round_that_nobody_judged_is_refused(tmp_path):
    one = Round.named("one", tmp_path)
    one.write_key(FACES)

    with pytest.raises(InvalidReview, match=r"judgements\.csv is missing"):
        joined([one])


def test_the_key_lies_elsewhere_than_the_sheets(tmp_path):
    one = Round.named("one", tmp_path)

    assert one.folder not in one.key.parents


def test_a_face_judged_differently_the_second_time_is_unclear(tmp_path):
    first = judged(tmp_path, "one", FACES, [(1, NEUTRAL), (2, NEUTRAL)])
    again = [Selected("a.jpg", (AGAIN,)), Selected("b.jpg", (AGAIN,))]
    second = judged(tmp_path, "two", again, [(1, SMILING), (2, NEUTRAL)])

    reviews = {review.file: review for review in joined([first, second])}

    assert reviews["a.jpg"].smiles is None
    assert reviews["b.jpg"].smiles is False
    assert reviews["a.jpg"].reasons == (DISAGREEMENT, RANDOM)


def test_a_third_judgement_is_refused(tmp_path):
    rounds = [judged(tmp_path, n, FACES, [(1, NEUTRAL), (2, NEUTRAL)]) for n in ("a", "b", "c")]

    with pytest.raises(InvalidReview, match="third"):
        joined(rounds)


def test_a_later_networks_disagreements_are_noted_once():
    reviews = (Review("a.jpg", SMILING, "", (FILLER,)), Review("b.jpg", NEUTRAL, "", (RANDOM,)))

    noted = disputed(disputed(reviews, {"a.jpg"}), {"a.jpg"})

    assert [review.reasons for review in noted] == [(DISAGREEMENT, FILLER), (RANDOM,)]


def test_scores_come_back_as_written(tmp_path):
    write_scores(tmp_path / "one.csv", "1.0.0", {"a.jpg": 0.5, "b.jpg": 0.25})

    assert read_scores([tmp_path / "one.csv"]) == {"a.jpg": [0.5], "b.jpg": [0.25]}


def test_scores_of_several_networks_are_read_from_several_files(tmp_path):
    (tmp_path / "one.csv").write_text("file,net_a,net_b\na.jpg,0.5,0.25\nb.jpg,1,0\n")
    (tmp_path / "two.csv").write_text("file,1.0.0\nb.jpg,0.75\na.jpg,0.125\n")

    scores = read_scores([tmp_path / "one.csv", tmp_path / "two.csv"])

    assert scores == {"a.jpg": [0.5, 0.25, 0.125], "b.jpg": [1, 0, 0.75]}


REVIEWS = (
    Review("a.jpg", NEUTRAL, NEUTRAL, (DISAGREEMENT,)),
    Review("b.jpg", SMILING, "", (RANDOM,)),
    Review("c.jpg", UNCLEAR, "", (RANDOM,)),
    Review("d.jpg", SMILING, SMILING, (FILLER,)),
    Review("e.jpg", SMILING, NEUTRAL, (FILLER,)),
)
GIVEN = {"a.jpg": True, "b.jpg": True, "c.jpg": True, "d.jpg": False, "e.jpg": True, "f.jpg": False}


def test_what_was_seen_replaces_what_was_said_and_unclear_faces_are_left_out():
    assert reviewed_labels(GIVEN, REVIEWS) == {
        "a.jpg": False,
        "b.jpg": True,
        "d.jpg": True,
        "f.jpg": False,
    }


def test_reviewed_faces_are_counted_against_their_labels():
    counted = tally(REVIEWS, GIVEN)

    assert (counted.faces, counted.agreed, counted.unclear) == (5, 1, 2)
    assert (counted.to_neutral, counted.to_smiling) == (1, 1)
    assert counted.wrong == pytest.approx(2 / 3)
    assert counted.auc == pytest.approx(0.5 / 4)  # of a, b, c and e, each against d


def test_the_summary_tells_the_noise_of_random_faces_and_how_steady_the_reviewer_is():
    text = summary(REVIEWS, GIVEN)

    assert "random: stands for all labels: 2 faces, 1 agreed" in text
    assert "looked at twice: 3, 2 judged the same" in text


def test_the_summary_keeps_silent_about_what_nobody_looked_at():
    text = summary([Review("d.jpg", SMILING, "", (FILLER,))], GIVEN)

    assert "random" not in text
    assert "twice" not in text


def test_accuracy_goes_by_the_labels_believed():
    scores = {"a.jpg": 0.1, "b.jpg": 0.9, "c.jpg": 0.2, "d.jpg": 0.8, "e.jpg": 0.7, "f.jpg": 0.3}

    found = [(count, one.value) for _, count, one in accuracies(GIVEN, REVIEWS, scores)]

    assert found == [
        (6, pytest.approx(3 / 6)),  # as labelled: b, e and f are right
        (5, pytest.approx(4 / 5)),  # a corrected, c left out; the fillers d and e as labelled
        (4, pytest.approx(4 / 4)),  # d corrected, e left out, too
        (6, pytest.approx(5 / 6)),  # c and e as labelled
    ]


def test_reviews_come_back_as_written_sorted_by_name(tmp_path):
    write_reviews(REVIEWS[::-1], "test", tmp_path)

    assert read_reviews("test", tmp_path) == REVIEWS
    assert read_reviews("val", tmp_path) == ()


def test_wilsons_interval_of_a_share():
    low, high = wilson(10, 100)

    assert low == pytest.approx(0.0552, abs=1e-4)
    assert high == pytest.approx(0.1744, abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_the_reviewed_labels_kept_here_name_each_face_once_and_know_their_words():
    reviews = read_reviews("test")

    assert len({review.file for review in reviews}) == len(reviews) > 400
    assert {r.first for r in reviews} <= {SMILING, NEUTRAL, UNCLEAR}
    assert {r.second for r in reviews} <= {SMILING, NEUTRAL, UNCLEAR, ""}
    assert sum(RANDOM in review.reasons for review in reviews) == 200
