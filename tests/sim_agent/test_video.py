"""Videos of the window: the right pictures for the right time, whole or not there."""

import importlib.util
import threading

import numpy as np
import pytest
from PIL import Image

import sim_agent.video as video_module
from sim_agent.video import Video, VideoError, check_video
from trainer.errors import UsageError

HAS_CV2 = importlib.util.find_spec("cv2") is not None
SIZE = (64, 48)


def flat(level):
    picture = np.full((SIZE[1], SIZE[0], 4), level, np.uint8)
    picture[:8, :8] = 255
    return picture


def levels_of(path):
    """Brightness of each picture of a GIF, and how long it is shown."""
    with Image.open(path) as gif:
        shown = []
        for k in range(gif.n_frames):
            gif.seek(k)
            shown.append((int(np.asarray(gif.convert("RGB"))[40, 40, 0]), gif.info["duration"]))
    return shown


def test_a_gif_shows_each_picture_for_its_time(tmp_path):
    path = tmp_path / "new" / "drive.gif"
    with Video(path, SIZE, 10.0) as video:
        for number, level in ((100, 10), (101, 60), (104, 120), (105, 200)):
            video.add(number, flat(level))
    shown = levels_of(path)
    # Pillow joins equal pictures into one that is shown for longer.
    assert [round(level / 10) for level, _ in shown] == [1, 6, 12, 20]
    assert [duration for _, duration in shown] == [100, 300, 100, 100]
    assert list(path.parent.iterdir()) == [path]


def test_a_gif_has_ten_pictures_a_second_at_most(tmp_path):
    path = tmp_path / "drive.gif"
    with Video(path, SIZE, 20.0) as video:
        for number in range(12):
            video.add(number, flat(20 * number))
    assert len(levels_of(path)) == 6
    assert sum(duration for _, duration in levels_of(path)) == 600


def test_letters_keep_their_colours_in_a_gif(tmp_path):
    path = tmp_path / "drive.gif"
    street = np.random.default_rng(0).normal(100.0, 12.0, (180, 320, 4))
    street[:90] += (90.0, 20.0, -40.0, 0.0)
    picture = street.clip(0, 255).astype(np.uint8)
    picture[90, 20:60] = 255
    picture[91, 20:30] = (20, 20, 250, 255)
    with Video(path, (320, 180), 10.0, [(255, 255, 255), (250, 20, 20)]) as video:
        video.add(0, picture)
    with Image.open(path) as gif:
        shown = np.asarray(gif.convert("RGB"))
    assert (shown[90, 20:60] == 255).all() and (shown[91, 20:30] == (250, 20, 20)).all()
    assert np.abs(shown.astype(float) - picture[..., 2::-1]).mean() < 4.0


@pytest.mark.skipif(not HAS_CV2, reason="OpenCV is not installed")
@pytest.mark.parametrize("name", ["drive.mp4", "drive.webm"])
def test_videos_play_as_long_as_the_drive(tmp_path, name):
    import cv2

    path = tmp_path / name
    with Video(path, (65, 49), 20.0) as video:
        for number in range(0, 10, 2):
            video.add(number, np.full((49, 65, 4), 25 * number, np.uint8))
    reader = cv2.VideoCapture(str(path))
    levels = []
    while (read := reader.read())[0]:
        levels.append(float(read[1].mean()))
    reader.release()
    assert len(levels) == 9
    assert np.abs(np.array(levels) - [0, 0, 50, 50, 100, 100, 150, 150, 200]).max() < 12


def test_who_adds_never_waits_for_the_encoder(tmp_path):
    path = tmp_path / "drive.gif"
    with Video(path, SIZE, 10.0) as video:
        slow, put = threading.Event(), video._encoder.put

        def wait_and_put(picture):
            assert slow.wait(60)
            put(picture)

        video._encoder.put = wait_and_put
        for number in range(200):
            video.add(number, flat(number))
        assert video.left_out > 100
        slow.set()
        video.add(200, flat(200))
    # What was left out is shown as the picture before it: the time is right.
    assert sum(duration for _, duration in levels_of(path)) >= (200 - video.left_out) * 100


def test_a_video_that_fails_leaves_the_old_one(tmp_path):
    path = tmp_path / "drive.gif"
    path.write_bytes(b"the old one")
    video = Video(path, SIZE, 10.0)

    def full(picture):
        raise OSError(28, "No space left on device")

    video._encoder.put = full
    for number in range(40):
        video.add(number, flat(number))
    with pytest.raises(VideoError, match=r"drive\.gif: the video can't be written .*No space left"):
        video.close()
    assert path.read_bytes() == b"the old one" and list(tmp_path.iterdir()) == [path]


def test_a_drive_without_a_picture_leaves_no_file(tmp_path):
    with pytest.raises(VideoError, match="no picture was drawn"), Video(tmp_path / "drive.gif", SIZE, 10.0):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["drive.avi", "drive", "drive.MP4"])
def test_other_names_are_refused(tmp_path, name):
    with pytest.raises(UsageError, match=r"must end in one of \.gif, \.mp4, \.webm"):
        check_video(tmp_path / name)


def test_without_opencv_a_gif_is_offered(tmp_path, monkeypatch):
    monkeypatch.setattr(video_module.importlib, "import_module", lambda name: (_ for _ in ()).throw(ImportError(name)))
    with pytest.raises(VideoError, match=r"pip install 'carla-unet\[video\]', or name a \.gif"):
        check_video(tmp_path / "drive.webm")
    check_video(tmp_path / "drive.gif")


def test_a_folder_that_can_not_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(VideoError, match="can't be written"):
        Video(tmp_path / "file" / "drive.gif", SIZE, 10.0)
