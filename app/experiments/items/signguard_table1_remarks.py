"""What is to be said of the results of signguard-table1, by setting."""

from __future__ import annotations

REMARKS: dict[str, str] = {
    "quick": (
        "-Sim loses two points without attack, and three under sign flipping, because batches are "
        "of 4: their gradients differ much in length and in signs. Without attack each part of "
        "-Sim alone costs about a point then (threshold 0.9, clustering 1.4, clipping 1.3), and "
        "all of them 2.1 (signguard-table3). With batches of 64 (setting `batch-64`) -Sim loses "
        "nothing in either case, and is a point above plain SignGuard under sign flipping, as "
        "published; but no crafted attack harms the mean there, so that batches are of 4 here. "
        "LIE's harm grows with the rounds: after 120 it has cost the mean two points. ByzMean "
        "costs DnC 0.6 points of 0.949 at its best and 1.6 at the end; on MNIST it breaks DnC "
        "with the z of the authors' code, after 480 rounds (`mnist-480-z`)."
    ),
    "batch-64": (
        "With batches of 64 no SignGuard is more than 1.1 points below the mean without attack, "
        "whatever the attack, and the cosine improves on plain SignGuard under sign flipping, "
        "both as published. What does not hold is that the mean is broken: ByzMean, LIE and "
        "Min-Max cost it nothing in 120 rounds, where gradients of 64 samples are close to one "
        "another and so are the rows that hide among them. With batches of 4 they do (`quick`)."
    ),
    "mnist-480": (
        "DnC is broken late: its best accuracy under ByzMean is 0.974, its last 0.862. With the z "
        "of the authors' code, 0.5 for the paper's 0.3, it is broken as published (setting "
        "`mnist-480-z`: 0.845, in Table I 0.823). Bulyan is that of the authors' code "
        "(bulyan.of='multi-krum'), and as published but for LIE, where 0.983 is six tenths below; "
        "that of its own paper loses a point without attack, and ByzMean and LIE break it "
        "(`mnist-480-otherwise`). -Sim and -Dist are up to 0.9 points below their published cells "
        "after a third of the rounds, without attack by 0.8 and 0.5; whether the rest closes that "
        "was not tried. Under LIE trimmed mean, median, Multi-Krum and DnC are far below their "
        "published cells, and the mean is above; neither z brings both about: with z = 1 the mean "
        "is at 0.595, and the trimmed mean lower still. That is chance in part (setting "
        "`mnist-lie`); and so are these verdicts on LIE and ByzMean, which have one seed. Some "
        "cells are broken in print and not here, or late. Multi-Krum is at 0.977 for 0.833 under "
        "ByzMean, and at 0.114 at the end. DnC is at 0.987 for 0.810 under Min-Sum: with the "
        "smaller of the two bounds that are known it is broken, too (setting "
        "`mnist-480-otherwise`). The median is at 0.981 for 0.942 under random, at 0.960 for "
        "0.938 under flipped labels, and without attack half a point above: the authors' code "
        "takes the lower of the middle two values, which is as published without attack and is "
        "broken by both, but by noise and flipped signs as well, where print has none of that "
        "(likewise there). The trimmed mean under sign flipping and Multi-Krum and DnC under "
        "flipped labels are five to seven tenths of a point below theirs: of these the causes are "
        "not known. Where one of two rules is broken in print, they rank as there in 125 of 144 "
        "pairs, and five are within 0.3 points. Of the other 14 none has a SignGuard: the mean is "
        "higher than in print under LIE, ByzMean and Min-Sum and lower under Min-Max, the trimmed "
        "mean lower under these but ByzMean, the median lower under Min-Sum, Multi-Krum higher "
        "there, Bulyan under Min-Max. The best accuracy of a broken run is how far it had come."
    ),
    "mnist-lie": (
        "LIE breaks these runs sooner or later, and their best accuracy is how far they had come "
        "by then: between three seeds that of the trimmed mean differs by 51 points (0.426, "
        "0.711, 0.935; in Table I 0.945), of the median by 18 (0.392 to 0.572; 0.744), of "
        "Multi-Krum by 11 (0.828 to 0.941, where one of the runs diverged; 0.900). A cell of one "
        "seed says little there. Beyond what the seeds make are the mean (0.949 to 0.976; 0.845), "
        "DnC (0.897 to 0.951; 0.991) and the median; the cells judge only whether a run is "
        "broken, five points below the mean without attack, where print has it so. That mean is "
        "at 0.929 on one seed, at 0.985 and 0.987 on the others, and leaves three claims open; "
        "why is not known. SignGuard's 0.983 and Bulyan's 0.980 are for the 240 rounds: after 480 "
        "they are at 0.988 and 0.983 (`mnist-480`). Ten LIE rows, 0.3 deviations from the mean, "
        "move a mean of 50 rows by 0.06 deviations, of 40 (DnC) by 0.075, of 38 (Multi-Krum) by "
        "0.079, of 30 (trimmed mean) by 0.1, and the median of Gaussian rows by about a quarter. "
        "That is the order of the means here and of Table I on Fashion-MNIST; on MNIST Table I "
        "has another, and so have single seeds here."
    ),
    "fashion-mnist-lie": (
        "All six rules are in the published order, the mean of three seeds (in brackets Table I; "
        "four of the runs diverged after their best): Bulyan 0.831 (0.886), mean 0.720 (0.798), "
        "Multi-Krum 0.714 (0.722), DnC 0.705 (0.718), trimmed mean 0.583 (0.543), median 0.469 "
        "(0.451). SignGuard loses 0.7 points of 0.836 under LIE. As in `mnist-lie`, single seeds "
        "are far apart (trimmed mean 0.439, 0.602, 0.708), and two of the three have another "
        "order. After 240 rounds the mean without attack is at 0.836 for 0.895: the cells of runs "
        "that nothing breaks are below theirs for that reason."
    ),
    "mnist-480-z": (
        "ByzMean breaks DnC as published. With z = 1 LIE breaks Bulyan (0.963 at best, 0.114 at "
        "the end; in print 0.989), with 0.3 it does not: that speaks for the paper's z there. Of "
        "the rules that LIE turns, only DnC comes nearer to its published cell with z = 1; for "
        "the others see `mnist-480`. Why SignGuard-Dist is half a point below under LIE is not "
        "known."
    ),
    "mnist-480-otherwise": (
        "The median that takes the lower of the middle two values (median.even='lower', "
        "torch.median's) is at 0.977 without attack, for 0.975 in print, where the mean of both "
        "is at 0.980. Random and flipped labels break it late: 0.972 and 0.948 at best, 0.126 and "
        "0.114 at the end, for 0.942 and 0.938 in print, where the usual one stands "
        "(`mnist-480`). So do noise and flipped signs, 0.960 and 0.967 at best, where print has "
        "0.975 and 0.977. How far a run comes before it breaks is chance, and one seed does not "
        "tell whether this median is the paper's. With the smaller bound Min-Sum breaks DnC, "
        "0.638 for 0.810, which sees through the rows of the larger one (0.987), and Multi-Krum, "
        "0.591 for 0.273. Bulyan of its own paper (bulyan.of='krum') loses a point without "
        "attack, 0.978, and is broken by ByzMean (0.569) and LIE (0.448) where Table I, which has "
        "another (`mnist-480`), is at 0.986 and 0.989. The order under Min-Sum says nothing here: "
        "the cells are of two bounds."
    ),
}
