"""A review from its sheets to the labels kept, as its commands do it."""

import csv
import io
import zipfile

import pytest
from click.testing import CliRunner
from PIL import Image

from training.faces_reviewed import NEUTRAL, SMILING, UNCLEAR, read_reviews
from training.review import main
from training.review_records import JUDGED, InvalidReview, Round, write_scores

NAMES = [f"{letter}.jpg" for letter in "abcdefgh"]
LABELS = {name: place < 4 for place, name in enumerate(NAMES)}
SEEN = {**dict.fromkeys(NAMES[:3], SMILING), **dict.fromkeys(NAMES[3:7], NEUTRAL), "h.jpg": UNCLEAR}
SCORES = {name: 0.9 if label else 0.1 for name, label in LABELS.items()} | {"d.jpg": 0.2}


@pytest.fixture
def command(tmp_path):
    """Runs a command on eight small faces, of which d is labelled smiling and does not."""
    folder = tmp_path / "data" / "faces"
    folder.mkdir(parents=True)
    rows = "".join(f"{name},{label:d},,,mtfl,x\n" for name, label in LABELS.items())
    (folder / "labels-test.csv").write_text(
        f"file,smiling,sunglasses,eyeglasses,source,origin\n{rows}"
    )
    (folder / "landmarks-test.csv").write_text("file,ax,ay,bx,by,cx,cy,dx,dy,ex,ey\n")
    content = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 90, 90)).save(content, "JPEG")
    with zipfile.ZipFile(folder / "test-000.zip", "w") as archive:
        for name in NAMES:
            archive.writestr(name, content.getvalue())
    write_scores(tmp_path / "scores.csv", "1.0.0", SCORES)
    places = {
        "--data": tmp_path / "data",
        "--work": tmp_path / "work",
        "--output": tmp_path / "review",
        "--labels": tmp_path / "kept",
        "--scores": tmp_path / "scores.csv",
    }

    def run(*words, needs):
        given = [str(word) for name in needs for word in (name, places[name])]
        found = CliRunner().invoke(main, [*words, *given], catch_exceptions=False)
        assert found.exit_code == 0, found.output
        return found.output

    return run


READ = ("--data", "--work")


def judge(one):
    """Writes what was seen of every face of a round."""
    with (one.folder / JUDGED).open("w", newline="") as file:
        told = [(number, SEEN[face.file]) for number, face in one.read_key().items()]
        csv.writer(file).writerows([("index", "judgement"), *told])


def test_a_wrong_label_is_corrected_after_two_looks_and_no_sheet_names_a_face(command, tmp_path):
    drawn = ("--round", "one", "--random", "8")
    said = command("sheets", *drawn, needs=(*READ, "--output", "--scores"))
    first = Round.named("one", tmp_path / "review")
    judge(first)
    command("again", "--rounds", "one", "--round", "two", needs=(*READ, "--output"))
    judge(Round.named("two", tmp_path / "review"))
    applied = command(
        "apply", "--rounds", "one,two", needs=(*READ, "--output", "--scores", "--labels")
    )

    reviews = {review.file: review for review in read_reviews("test", tmp_path / "kept")}
    assert "8 faces on 1 sheets" in said
    assert sorted(path.name for path in first.folder.iterdir()) == ["01.png", JUDGED]
    assert (reviews["d.jpg"].first, reviews["d.jpg"].second) == (NEUTRAL, NEUTRAL)
    assert reviews["h.jpg"].smiles is None
    assert "disagreements: 1, of them not looked at: 0" in applied
    assert "all reviewed: 8 faces, 6 agreed, 1 corrected to neutral" in applied


def test_accuracy_is_told_by_labels_as_they_came_and_as_they_were_seen(command, tmp_path):
    command("sheets", "--round", "one", "--random", "8", needs=(*READ, "--output", "--scores"))
    judge(Round.named("one", tmp_path / "review"))
    command("apply", "--rounds", "one", needs=(*READ, "--output", "--scores", "--labels"))

    said = command("accuracy", needs=(*READ, "--scores", "--labels"))

    assert "as labelled: 0.875" in said
    assert "corrected wherever looked at: 1.000 (1.000 to 1.000), 7 faces" in said


def test_labels_are_not_written_while_faces_are_not_judged(command, tmp_path):
    command("sheets", "--round", "one", "--random", "8", needs=(*READ, "--output", "--scores"))

    with pytest.raises(InvalidReview, match="missing"):
        command("apply", "--rounds", "one", needs=(*READ, "--output", "--scores", "--labels"))

    assert not (tmp_path / "kept").exists()
