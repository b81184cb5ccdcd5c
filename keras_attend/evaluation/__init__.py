"""The papers' protocols, each under a short fixed name.

Classification (RAM), error in percent on a test set:

* `<data>/single`: one pass over each image. The first location is uniform, and each
  later one is the policy's mean.
* `<data>/mc10`: ten passes, whose locations are drawn from the policy. The answer is
  the class with the highest mean of the ten log probabilities. The best-known public
  code reports this number.
* `<data>/single_seeds`: the mean of `single` over training seeds.

`<data>` is `mnist_test` (10,000 images), or `translated_mnist`, `cluttered_mnist`
(60x60) or `cluttered_mnist_100` (100x100): those images, each once, at places that
`datasets.cluttered_mnist("test", ...)` fixes. Each is measured several times; `value`
is the mean, `min` and `max` the spread. The baselines are measured as `single`, by the
same network but without its policy: "random glimpses" (every location uniform) and
"unmoving glimpses" (all at the first location).

Catch (RAM), the share of games in which the ball is caught:

* `catch/10000_games`: five times 10,000 games from a uniform first location. The agent
  looks where its policy's mean is, and takes the most probable action. The baselines
  are "random play", and an agent of the same size that sees the "whole screen".

Tracking of one object, whose box in the first frame is given. (The models of bouncing
balls, of `single_digit` and of DRLT's digits do not use it.) Frames in which the object
is absent do not count:

* `<data>/<T>_frames`: clips of T frames. `mean_iou` and `center_error_px` are means
  over all boxes after the given one.
* `<data>/<T>_frames_with_first`: the given first box counts as well; a tracker that
  repeats it has IoU 1 there. (HART's published evaluation counts it.)
* `<data>/<T>_frames_last`: `mean_iou` in the last frame alone (RATM).
* `<data>/ope`: OTB's one-pass evaluation (Wu et al. 2013) of whole videos. The given
  box counts, as in OTB's toolkit. `success_auc` is the mean over the thresholds 0,
  0.05, ..., 1 of the share of frames whose IoU exceeds them (20/21 at best);
  `precision_20` is the share of frames whose centre is at most 20 pixels off. All are
  computed for each video, and then averaged over the videos.
  DRLT's paper trains on the first third of each video that it judges by.
  `otb_first_third/ope` does the same and judges by whole videos, its first thirds
  included. `otb_last_two_thirds/ope` judges the same weights by the rest of each video
  alone. `otb_unseen/ope` judges other weights, which were trained by the same recipe
  without the six videos of `videos_validation`, by these six.
* `<data>/<T>_frame_clips`: videos cut into clips of T frames, the true box given at the
  beginning of each. `mean_iou` and `center_error_px` over the boxes after it: the mean
  over each clip, then over a video's clips, then over videos.
* `<data>/presence`: `presence_auc`, the area under the ROC curve of a tracker's
  "presence", over all frames but the first. The baseline is a "clock", whose presence
  falls from frame to frame, because objects leave late.

* `<data>/hidden_clips`: clips of 80 frames, a new one every 40, in which a rectangle of
  another video hides the object on frames 20 to 39. `refound_rate` is the share of
  clips in which a box has an IoU above 0.3 within 30 frames after that.
  `presence_auc` is the area under the ROC curve of "presence" (of TrackerNano its
  score, of other peers whether they have failed), between frames in which the tracker
  has the object (IoU above 0.5) and those in which it has not (IoU below 0.1, or the
  object is hidden). `calibration_error` is how far "presence" is from the share of the
  former among the frames with about this presence: the mean over ten equal ranges, by
  their frames.

Objects that nobody has marked (AIR). Found and true boxes are paired one to one, so
that the sum of their IoUs is the greatest; an object that is missed has IoU 0.

* `<data>/pictures`: `count_accuracy`, the share of right counts; `mean_iou` and
  `found_rate` of the ink's boxes: the mean IoU, and the share above 0.5; `elbo_nats`,
  the bound of the log-likelihood in nats a picture; `drawn_outside`, the share of drawn
  pixels that lie outside all true boxes.
* `<data>/videos`: the same, but for `drawn_outside`, in videos in which objects come
  and go. `count_accuracy` is the share of right counts in the worst frame after the
  third. `identity_switches` is the number of switches divided by that of true objects:
  as in CLEAR MOT, a pair is kept while its IoU is above 0.5. `center_error_px` is the
  distance of an object's imagined centre from the true one, five frames after the last
  one that the model sees, of objects that were there in the last four frames and that
  no wall turns round. `elbo_nats` are a frame's.

`<data>` of real videos, in OTB's layout:

* `videos_validation`: six videos of `FOLDER/tracking`. Only `drlt_otb` was trained on
  parts of them, the first third of each. Settings and stages of trainings were chosen
  by them, so that their numbers flatter. Four of them show people: `people_validation`.
* `videos_test`: the six videos of `FOLDER/tracking_test` (two faces, a pedestrian, two
  cars, a can). Nothing was trained on them or chosen by them; a preset's card says how
  often it was measured by them. Clips of 60 frames are of five of them: one of the cars
  is in sight for 50 frames.
* `kitti_held_out`: four short tracks on ten pictures of one KITTI video, whose labels
  are not for training. It is too small to rank trackers by.

`<data>` of digits and balls names what is drawn. Two are of the papers' settings alone
(`zoo/papers`): `two_bouncing_digits`, which fly straight and turn at the walls, and
`noisy_scaled_digits`, where the digit beside the tracked one changes its size too.

`<data>` of clips that are drawn along KITTI's labels: `rendered_kitti_validation`, by
which the stages of a training were chosen, and `rendered_kitti_test`, by which nothing
was (`training.rendered_sets` says how they differ).

`value` is the mean, `min` and `max` are the spread: over passes of one model for
`single` and `mc10`, over rounds of so many games for Catch, and else over training
seeds, where there are several. The baselines of trackers are the "static box", the
tracker that never moves, and often OpenCV's; that of pictures' counts is "the most
frequent count", where the same number is said of each picture.
"""

from keras_attend.evaluation.digits import (
    catch_rate,
    catch_results,
    commit,
    digit_results,
    error_percent,
    with_arguments,
)
from keras_attend.evaluation.hidden import (
    HiddenClips,
    calibration_error,
    hidden_clips,
    hidden_results,
    sure_track,
)
from keras_attend.evaluation.identities import (
    SequenceScores,
    imagined_errors,
    score_sequences,
)
from keras_attend.evaluation.object_videos import (
    VideoScores,
    object_video_results,
    score_videos,
)
from keras_attend.evaluation.objects import (
    ObjectScores,
    PictureScores,
    drawn_outside,
    score_objects,
    score_pictures,
)
from keras_attend.evaluation.opencv import opencv_tracker, sure_opencv_tracker
from keras_attend.evaluation.pictures import picture_results
from keras_attend.evaluation.test_sets import (
    CatchGames,
    DigitImages,
    DrawnClips,
    DrawnPictures,
    DrawnVideos,
    Videos,
)
from keras_attend.evaluation.tracking import (
    ClipScores,
    box_scores,
    clip_results,
    presence_auc,
    presence_results,
    score_clips,
    static_box,
)
from keras_attend.evaluation.videos import (
    OnePass,
    VideoClips,
    one_pass,
    one_pass_results,
    video_clip_results,
    video_clips,
)

__all__ = [
    "CatchGames",
    "ClipScores",
    "DigitImages",
    "DrawnClips",
    "DrawnPictures",
    "DrawnVideos",
    "HiddenClips",
    "ObjectScores",
    "OnePass",
    "PictureScores",
    "SequenceScores",
    "VideoClips",
    "VideoScores",
    "Videos",
    "box_scores",
    "calibration_error",
    "catch_rate",
    "catch_results",
    "clip_results",
    "commit",
    "digit_results",
    "drawn_outside",
    "error_percent",
    "hidden_clips",
    "hidden_results",
    "imagined_errors",
    "object_video_results",
    "one_pass",
    "one_pass_results",
    "opencv_tracker",
    "picture_results",
    "presence_auc",
    "presence_results",
    "score_clips",
    "score_objects",
    "score_pictures",
    "score_sequences",
    "score_videos",
    "static_box",
    "sure_opencv_tracker",
    "sure_track",
    "video_clip_results",
    "video_clips",
    "with_arguments",
]
