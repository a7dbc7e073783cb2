"""`spanfeed documents`: what can be searched."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline import settings as settings_table
from web.commands.audited import audited
from web.commands.opened import explained, opened

_NAME_CHARACTERS = 36


@click.group()
def documents() -> None:
    """The documents that answers come from."""


@documents.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--collection", default="documents", show_default=True, help="The collection to add to.")
@click.option("--sample", is_flag=True, help="Make the collection the same as the folder: what is gone is removed.")
@explained
def add(path: Path, collection: str, sample: bool) -> None:
    """Index a file or a folder (txt, md, html, csv, pdf, docx)."""
    from tasks import documents as index

    settings, store = opened()
    with (
        audited(store, "documents.add", "collection", collection) as details,
        click.progressbar(length=1, label=f"Indexing {collection}", item_show_func=lambda name: name) as bar,
    ):

        def show(done: int, total: int, name: str) -> None:
            bar.length = total
            bar.update(done - bar.pos, name[-_NAME_CHARACTERS:])

        report = index.add(settings, collection, path, show, mirror=sample)
        bar.finish()
        details |= {"added": report.added, "replaced": report.replaced, "removed": report.removed}
    # Among the samples are pictures for people; that they are skipped is no news.
    skipped = [] if sample else report.skipped
    click.echo(
        f"{collection}: {report.added} added, {report.replaced} replaced, {report.unchanged} unchanged, "
        f"{report.removed} removed" + (f", {len(skipped)} skipped" if skipped else "")
    )
    for name, reason in skipped:
        click.echo(f"  skipped {name}: {reason}", err=True)


@documents.command(name="list")
@click.argument("collection", required=False)
@explained
def list_documents(collection: str | None) -> None:
    """List the collections, or the documents of one."""
    from tasks import documents as index

    settings = settings_table.load()
    if collection is not None:
        for path in index.paths(settings, collection):
            click.echo(path)
        return
    for found in index.listed(settings):
        click.echo(f"{found.name}: {found.documents} documents, {found.chunks} chunks")


@documents.command()
@click.argument("collection")
@click.argument("path", required=False)
@click.option("--yes", is_flag=True, help="Do not ask before a whole collection is removed.")
@explained
def remove(collection: str, path: str | None, yes: bool) -> None:
    """Remove a document, or a whole collection, from the index; the files themselves stay."""
    from tasks import documents as index

    if path is None and not yes:
        click.confirm(f"Remove the whole collection {collection} from the index?", abort=True)
    settings, store = opened()
    with audited(store, "documents.remove", "collection", collection) as details:
        gone, chunks = index.remove(settings, collection, path)
        details |= {"path": path, "documents": gone}
    if not gone:
        raise click.ClickException("There is no such document or collection in the index.")
    click.echo(f"{gone} documents with {chunks} chunks removed from {collection}")
