"""The layouts of tables, and what reads them."""

import numpy as np
import pytest

from keras_attend.commands.track_tables import BoxTable, Row, table_paths
from keras_attend.datasets.sequences import got10k, otb

FOUND = np.array(
    [[[0, 10, 12, 14.5], [3, 4, 5, 6]], [[1.25, 10, 12, 14], [2, 4, 5, 6]]]
)
SCORES = [[1, 0.75], [0.9, 0.125]]


def write(path, layout, found=FOUND):
    table = BoxTable(path, layout, found.shape[1])
    for t, boxes in enumerate(found):
        rows = []
        for k, box in enumerate(boxes):
            score = SCORES[t][k]
            rows.append(Row(t, k + 1, box, score > 0.5, score))
        table.write(rows)
    table.close()
    return table.paths


def test_csv(tmp_path):
    (path,) = write(tmp_path / "a.csv", "csv")
    assert path.read_text().splitlines() == [
        "frame,object,x,y,w,h,present,score",
        "0,1,0.00,10.00,12.00,14.50,1,1.000",
        "0,2,3.00,4.00,5.00,6.00,1,0.750",
        "1,1,1.25,10.00,12.00,14.00,1,0.900",
        "1,2,2.00,4.00,5.00,6.00,0,0.125",
    ]


def test_csv_of_a_model_that_does_not_score(tmp_path):
    table = BoxTable(tmp_path / "a.csv", "csv", 1)
    table.write([Row(0, 1, (1, 2, 3, 4), True, None)])
    table.close()
    assert (tmp_path / "a.csv").read_text().endswith("\n0,1,1.00,2.00,3.00,4.00,1,\n")


def test_mot_counts_from_one_and_leaves_lost_objects_out(tmp_path):
    (path,) = write(tmp_path / "a.txt", "mot")
    assert path.read_text().splitlines() == [
        "1,1,1.00,11.00,12.00,14.50,1.000,-1,-1,-1",
        "1,2,4.00,5.00,5.00,6.00,0.750,-1,-1,-1",
        "2,1,2.25,11.00,12.00,14.00,0.900,-1,-1,-1",
    ]
    table = BoxTable(tmp_path / "b.txt", "mot", 1)
    table.write([Row(0, 1, (1, 2, 3, 4), True, None)])
    table.close()
    assert (tmp_path / "b.txt").read_text() == "1,1,2.00,3.00,3.00,4.00,1,-1,-1,-1\n"


@pytest.mark.parametrize(("layout", "reader"), [("otb", otb), ("got10k", got10k)])
def test_what_this_package_reads_is_what_was_written(tmp_path, layout, reader):
    from PIL import Image

    frames = tmp_path / "video" / ("img" if layout == "otb" else "")
    frames.mkdir(parents=True)
    for t in range(1, 3):
        Image.new("RGB", (40, 30)).save(frames / f"{t:04d}.jpg")
    name = "groundtruth_rect.txt" if layout == "otb" else "groundtruth.txt"
    (path,) = write(tmp_path / "video" / name, layout, FOUND[:, :1])
    assert path.name == name
    (sequence,) = reader(tmp_path)
    np.testing.assert_allclose(sequence.boxes, FOUND[:, 0])
    assert sequence.present.all()


def test_layouts_of_one_object_have_a_file_for_each(tmp_path):
    first, second = write(tmp_path / "a.txt", "got10k")
    assert (first.name, second.name) == ("a.1.txt", "a.2.txt")
    assert first.read_text() == "1.00,11.00,12.00,14.50\n2.25,11.00,12.00,14.00\n"
    # A box is written for a lost object too.
    assert second.read_text() == "4.00,5.00,5.00,6.00\n3.00,5.00,5.00,6.00\n"
    assert table_paths(tmp_path / "a.txt", "mot", 2) == [tmp_path / "a.txt"]
