"""`make pages`: writes the generated parts of every page again."""

from tests.documents.generated import parts_of
from tests.documents.pages import pages, with_parts

for page in pages():
    text = with_parts(page, parts_of(page))
    if text != page.text:
        page.path.write_text(text, encoding="utf-8")
        print(page.name)  # noqa: T201
