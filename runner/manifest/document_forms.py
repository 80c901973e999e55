"""Recognises files of word processors, browsers and spreadsheets, whose markup is not meant as text.

In: the first bytes of a file. Out: the name of its form, or None for what may be plain text. It opens no file.
"""

from __future__ import annotations

import codecs
import re

# Sources: the file signatures of RTF 1.9.1, ZIP (APPNOTE 4.3.7), compound files ([MS-CFB] 2.2) and PDF (ISO 32000).
_SIGNATURES = {
    b"{\\rtf": "RTF",
    b"PK\x03\x04": "a packed document, such as .docx, .xlsx, .odt or .pages",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an old Office document, such as .doc or .xls",
    b"%PDF-": "a PDF",
    b"<?xml": "XML",
    b"[InternetShortcut]": "a link to a page",
}
_HTML = re.compile(rb"\s*<(?:!doctype\s+html|html|head|meta|!--)[\s>]", re.IGNORECASE)


def document_form(data: bytes) -> str | None:
    """Return the form of a document that is not plain text, as a noun for a sentence, or None."""
    text = data.removeprefix(codecs.BOM_UTF8)
    if _HTML.match(text):
        return "HTML"
    return next((form for signature, form in _SIGNATURES.items() if text.startswith(signature)), None)
