"""Clips that are drawn, along the paths that KITTI's labels describe.

In the order in which a clip comes about:

    style.py      `Style` and `View`, the options of `RenderedKITTI`
    clips.py      `RenderedKITTI`: which object, which frames, which part of them
    scene.py      where a video's objects are, and which hides which
    sprites.py    pictures of objects and streets: from videos and from files
    vehicles.py, people.py   sprites painted from random numbers, on a canvas.py
    wardrobe.py   the sprites of a dataset, and by which each object of a clip is drawn
    film.py       the frames: the street behind, objects, light and grain
    pictures.py   pixel arithmetic: how a picture is scaled, blurred and pasted
    streets.py    labels and streets that are made up, for those who have no KITTI
"""
