"""What `hotlist import` may be told to take although it doubts it: a flag a doubt."""

from typing import Annotated

import typer

AllowEmpty = Annotated[
    bool, typer.Option("--allow-empty", help="Take a list that leaves no entry at all.")
]
AllowShrink = Annotated[
    bool, typer.Option("--allow-shrink", help="Take a list of less than half of what was held.")
]
AllowOlder = Annotated[
    bool, typer.Option("--allow-older", help="Take a list made before the one that is held.")
]
AllowUnprotect = Annotated[
    bool, typer.Option("--allow-unprotect", help="Take a list with which protections end.")
]
AllowLostZeros = Annotated[
    bool,
    typer.Option("--allow-lost-zeros", help="Take plates held with noughts in front, without."),
]
AllowReturned = Annotated[
    bool,
    typer.Option("--allow-returned", help="Take plates withdrawn by hand, under another case."),
]
AllowTwins = Annotated[
    bool, typer.Option("--allow-twins", help="Take look-alikes (O and 0) of one case.")
]
AllowBulk = Annotated[
    bool, typer.Option("--allow-bulk", help="Take many entries of one case, or of one day.")
]
AllowNoPlateWords = Annotated[
    bool,
    typer.Option("--allow-no-plate-words", help="Take plates as NONE, UNKNOWN or XXXXXXX."),
]
AllowDates = Annotated[
    bool, typer.Option("--allow-dates", help="Take plates and cases that read like dates.")
]
AllowColumns = Annotated[
    bool,
    typer.Option("--allow-columns", help="Take a list whose columns look exchanged."),
]
AllowForeign = Annotated[
    bool,
    typer.Option(
        "--allow-foreign", help="Take plates of countries that lists here do not hold otherwise."
    ),
]
