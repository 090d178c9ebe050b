"""What is to be said of the results of fd-fig1a to -fig1d, by setting."""

from __future__ import annotations

OF_A = {
    "quick": (
        "All claims hold. Beside them: signSGD-FD is flat, but on a lower level. Without attack "
        "the paper's estimator (alg1) ends at 0.937, the plain vote and our default at 0.964. Its "
        "weights per coordinate, estimated from that coordinate's own counts, are what costs it: "
        "with one weight a worker (pooled) it is at 0.964 (docs/rules.md). On MNIST (setting "
        "`mnist-falling`) and Fashion-MNIST (fd-fig1b) they cost nothing, nor do they on digits "
        "where every worker holds all images, as in the authors' code (setting `shared`), but for "
        "a tenth of a point. So the cost comes with the small shares, 96 images of which a batch "
        "takes 64; by which way was not measured. Our default loses nothing from L = 0 to 7."
    ),
    "shared": (
        "All claims hold, and the weights per coordinate of the paper's estimator (alg1) cost a "
        "tenth of a point at most: without attack it ends at 0.960, the plain vote and our "
        "default at 0.961, and with seven attackers at 0.960, where the plain vote is at 0.903."
    ),
    "mnist": (
        "As published: the plain vote falls, from 0.964 to 0.857 with L = 7 (at its best from "
        "0.982 to 0.927), signSGD-FD does not (0.959 to 0.965), and with nine of fifteen nobody "
        "learns. Not decided is only whether FD loses more than a published number moves by: at "
        "the end, where that is judged, the difference is uncertain by 1.7 points: FD's curves, "
        "means of three seeds, are best after 400 to 550 rounds, at 0.980 to 0.982, and fall from "
        "there, each run its own way. The rate is constant there: with a tenth of it after 400 "
        "rounds (setting `mnist-falling`) signSGD-FD is at 0.988 after 500, with L = 0, 6 and 7; "
        "longer was not run. Our default takes the inverted signs for what they are: up to L = 7 "
        "it ends with the model of the plain vote without attack, to the bit."
    ),
    "mnist-falling": (
        "What was run is as published; L = 3 and 9 and our default were not. With a tenth of the "
        "rate after 400 rounds the plain vote ends at 0.988, 0.974 and 0.934 with L = 0, 6 and 7, "
        "signSGD-FD (alg1) at 0.988 with each: in the last 50 rounds it moves by a tenth of a "
        "point at most, as the vote does without attack. With a constant rate (setting `mnist`) "
        "what it loses is uncertain by 1.7 points. Without attack its weights per coordinate cost "
        "nothing."
    ),
}
OF_B = {
    "quick": (
        "The paper's claims hold, on Fashion-MNIST. Not decided is what our default loses: 0.3 "
        "points with three attackers, 0.4 with six and 0.8 with seven, with errors of 0.9, 0.5 "
        "and 1.9. It accepts 1.6, 4.9 and 18 % of their rows with three, six and seven, the "
        "paper's estimator (alg1) 0.1 % at most, and loses nothing."
    ),
}
OF_C = {
    "quick": (
        "The paper's estimator (alg1) loses 2.7 points to its weights per coordinate where nobody "
        "attacks (fd-fig1a), and coins cost it nothing up to L = 9: so it is below the plain vote "
        "up to there (by 0.3 points at 9), and above it at 12 alone (0.932 against 0.917). It "
        "rises to L = 6, and falls from there. Our default is above the plain vote by up to 0.3 "
        "points up to L = 6; with 9 and 12 of 15 nobody can be judged, and it decodes by a plain "
        "vote. Where every worker holds all images, as in the authors' code (setting `shared`), "
        "those weights cost 0.1 points without attack, 0.2 with three and six coins; two of the "
        "claims hold there, and one is not decided."
    ),
    "shared": (
        "As published: signSGD-FD (alg1) degrades gradually, from 0.960 to 0.946 with twelve of "
        "fifteen throwing coins, where the plain vote is at 0.920. With six, nine and twelve it "
        "is 0.2, 0.8 and 2.6 points above the vote, beyond the error of ten seeds; with three the "
        "two are level, which leaves the claim open. Our default is 0.2 to 0.3 points above it "
        "with three and six; with 9 and 12 nobody can be judged, it decodes by a plain vote, and "
        "is 0.8 and 2.6 points below the paper's estimator."
    ),
    "mnist": (
        "Coins cost nothing here, so there is nothing in which FD could be better: at its best "
        "every rule is at 0.981 to 0.986, whatever L. At the end, where that is judged, the plain "
        "vote is the better the more workers throw coins, from 0.964 to 0.982: its curve, the "
        "mean of three seeds, is best after 550 rounds without attack and falls by 1.8 points "
        "from there (fd-fig1a), with L = 12 after 850, by 0.1. That of the paper's estimator "
        "(alg1) falls by 1.2 to 2.2 points with any L, to 0.959 to 0.970: so it is 1.4 points "
        "below the plain vote with L = 12. With a tenth of the rate after 400 rounds (setting "
        "`mnist-falling`) the two are level after 500; why coins slow the fall is not known. Our "
        "default is the plain vote to the bit without attack, and with 9 and 12 of 15, where "
        "nobody can be judged."
    ),
    "mnist-falling": (
        "Coins cost little, as published, and signSGD-FD (alg1) degrades gradually, from 0.988 "
        "without attack to 0.987 with six coin throwers and 0.984 with twelve. The plain vote is "
        "at 0.988, 0.987 and 0.982: with twelve FD is 0.2 points above it, which three seeds do "
        "not decide (0.05, 0.24 and 0.36). With a constant rate (setting `mnist`) FD is 1.4 "
        "points below the vote there. What was run is L = 0, 6 and 12 of the paper's two "
        "algorithms, 500 rounds."
    ),
    "mnist-7": (
        "As with the other L (setting `mnist`): at its best the plain vote is at 0.988 and the "
        "paper's estimator (alg1) at 0.984, more than without attack; at the end they are at "
        "0.969 and 0.964, within the error of three seeds, both below what they were after 500 "
        "rounds, by 1.6 and 1.9 points of the mean curve."
    ),
}
OF_D = {
    "quick": (
        "Coins take almost nothing from a plain vote here: 0.830 with six of fifteen, 0.828 "
        "without any, 0.809 with twelve. That leaves no room in which FD could be better: what "
        "separates the two is within the error of three seeds up to L = 9, and 0.3 points for FD "
        "with 12; what FD loses from L = 0 to 12 is within it. Our default silences the coin "
        "throwers: of L = 3 twelve vote, whose ties are all +1, and it is at 0.808; of L = 6 nine "
        "vote, and it is at 0.825 (docs/rules.md, Ties)."
    ),
}
