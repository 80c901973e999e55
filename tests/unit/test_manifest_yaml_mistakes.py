"""Mistakes of YAML: each is reported once, at the line where it was made, with advice that mends it."""

from __future__ import annotations

import pytest
import yaml

from runner.domain.errors import Severity
from runner.domain.shots import Text
from tests.effort import at_most
from tests.unit.test_manifest_yaml import node_of
from tests.unit.whole_readings import Reading, parse_manifest

HEAD = "version: 1\nshots:\n  - id: s1\n    model: m\n    inputs:\n      image: https://e.com/a\n"
"""Six lines; a table's text begins on line 7, in the inputs of the first shot."""

S2 = "  - id: s2\n    model: m\n"
P = "      promptText: "


def read(text: str) -> Reading:
    return parse_manifest(text.encode(), file="m.yaml", name="m")


def told(text: str) -> list[str]:
    return [str(problem).removeprefix("m.yaml:") for problem in read(text).problems]


SIGNS = {
    "no colon": ("      seed 7\n      size: 5\n", "7:11: a colon is missing here; write 'seed: 7'"),
    "no colon at the end": ("      seed 7\n", "7:11: a colon is missing here; write 'seed: 7'"),
    "no colon after an id": ("  - id s2\n    model: m\n", "7:7: a colon is missing here; write 'id: s2'"),
    "no colon over a mapping": (
        "  - id: s2\n    inputs\n      a: b\n",
        "8:11: a colon is missing here; write 'inputs:'",
    ),
    "equals": ("      seed = 7\n      size: 5\n", "7:11: a colon is missing here; write 'seed: 7'"),
    "semicolon": ("      seed; 7\n      size: 5\n", "7:11: a colon is missing here; write 'seed: 7'"),
    "no blank after the colon": (
        "      seed:7\n      size: 5\n",
        "7:12: a blank is missing after the colon; write 'seed: 7'",
    ),
    "no blank after the id's colon": (
        "  - id:s2\n    model: m\n",
        "7:8: a blank is missing after the colon; write 'id: s2'",
    ),
    "no blank in the only input": (
        "  - id: s2\n    model: m\n    inputs:\n      p:x\n",
        "10:7: shot s2, inputs: must be a mapping of names to values, not one value; a blank is missing",
    ),
    "no blank in braces": (
        "  - {id: s2, model:m}\n",
        "7:14: a blank is missing after the colon; write 'model: m'",
    ),
    "no blank after the dash": (
        "  -id: s2\n    model: m\n",
        "7:3: a blank is missing after the dash; write '- id: s2'",
    ),
    "a tab after the dash": ("  -\tid: s2\n    model: m\n", "7:4: a tab stands here; write a blank"),
    "a comma behind a quote": (P + '"really",\n      seed: 7\n', "7:27: remove the comma behind the quote"),
    "a bracket too many": ("      images: [a, b]]\n", "7:21: this ] closes nothing; remove it"),
    "a brace too many": (
        "  - {id: s2, model: m, inputs: {a: b}}}\n",
        "7:39: this } closes nothing; remove it",
    ),
    "no comma in braces": ("  - {id: s2 model: m}\n", "7:13: a comma is missing before model"),
    "no comma behind a quote": ('  - {id: "s2" model: m}\n', "7:15: a comma is missing before model"),
    "no comma at a line's end": (
        "  - {id: s2,\n     model: m\n     tags: a}\n",
        "8:14: a comma is missing here",
    ),
    "no comma between mappings": (
        '  - {id: s2, inputs: {a: [{b: "c"}\n      {b: "d"}]}}\n',
        "7:35: a comma is missing here",
    ),
    "no colon before a brace": (
        "  - id: s2\n    inputs {a: b, c: d}\n",
        "8:5: a colon is missing behind inputs; write 'inputs: {'",
    ),
    "text behind a brace": (
        "  - {id: s2}, model: m}\n",
        "7:13: text follows the } that ends the value; remove the one or the other",
    ),
    "a field behind an entry in braces": (
        "  - {id: s2, model: m}\n    tags: [x]\n",
        "8:5: the entry above is complete, since its braces are closed; write this field inside them",
    ),
    "a comment of another language": (
        "      seed: 7\n      // a: b\n      size: 5\n",
        "8:7: '//' does not begin a comment; write '#', or remove the line",
    ),
    "words of another comment": ("      // slow\n      size: 5\n", "7:7: '//' does not begin a comment"),
    "a comment in braces": (
        '  - {"id": "s2", // two\n     "model": "m"}\n',
        "7:18: '//' does not begin a comment",
    ),
    "a blank in an address": (
        "      url: https: //e.com/a\n",
        "7:18: a blank is in this address; write https://",
    ),
    "fields beside an id": (
        S2 + "    zoom: 1\n    pan: 2\n",
        "9:5: shot s2: unknown fields 'zoom', 'pan'; a model's inputs go under inputs:",
    ),
    "dashes before inputs": (
        S2 + "    inputs:\n      - a: 1\n      - b: 2\n",
        "10:7: shot s2, inputs: must be a mapping of names to values, not a list; remove the dashes",
    ),
    "a model among the inputs": (
        "  - id: s2\n    inputs:\n      model: m\n",
        "9:7: shot s2: has no model, since this one is under inputs:; write it beside id",
    ),
    "a sweep without a colon": (
        S2 + "    sweep: seed 1-3\n",
        "9:12: shot s2, sweep: must be a mapping of names to values, not one value; a colon is missing here",
    ),
    "an alias of nothing": (P + "*cat\n", "7:19: *cat refers to nothing above it; quote the text"),
    "an arrow": ("      seed -> 7\n      size: 5\n", "7:11: a colon is missing here; write 'seed: 7'"),
    "a colon before the blank": (
        "      seed :7\n      size: 5\n",
        "7:11: a colon is missing here; write 'seed: 7'",
    ),
    "no colon in the first input": (
        "  - id: s2\n    inputs:\n      seed 7\n      size: 5\n",
        "9:11: a colon is missing here; write 'seed: 7'",
    ),
    "two fields on a line": ("  - id: s2 model: m\n", "7:12: write model: on a line of its own"),
}

LOOK_ALIKES = {
    "no-break blanks": ("    \u00a0 seed: 7\n", "7:5: U+00A0 (no-break space) indents this line"),
    "no-break blanks before a field": (
        "  - id: s2\n\u00a0\u00a0\u00a0\u00a0model: m\n",
        "8:1: U+00A0 (no-break space) indents this line",
    ),
    "an ideographic blank": (P + "a\n\u3000seed: 7\n", "8:1: U+3000 (ideographic space) indents this line"),
    "an unseen character before a key": (
        "      \u200bseed: 7\n",
        "7:7: U+200B (zero width space) indents this line",
    ),
    "an unseen character in a key": ("      se\u200bed: 7\n", "7:7: U+200B (zero width space) is in the key"),
    "a mark of direction behind a key": (
        "      seed\u202e: 7\n",
        "7:7: U+202E (right-to-left override) is in the key",
    ),
    "a no-break blank behind the colon": (
        "      seed:\u00a07\n",
        "7:12: U+00A0 (no-break space) follows the colon",
    ),
    "a no-break blank behind the dash": (
        "  -\u00a0id: s2\n    model: m\n",
        "7:4: U+00A0 (no-break space) follows the dash",
    ),
    "en dash": (S2.replace("-", "–"), "7:3: – (U+2013, en dash) does not begin an entry; write '- '"),
    "em dash": (S2.replace("-", "—"), "7:3: — (U+2014, em dash) does not begin an entry; write '- '"),
    "minus": (S2.replace("-", "−"), "7:3: − (U+2212, minus sign) does not begin an entry; write '- '"),
    "bullet": (S2.replace("-", "•"), "7:3: • (U+2022, bullet) does not begin an entry; write '- '"),
    "asterisk": (S2.replace("-", "*"), "7:3: * (U+002A, asterisk) does not begin an entry; write '- '"),
    "full-width colon": (
        "  - id： s2\n    model: m\n",
        "7:7: ： (U+FF1A, fullwidth colon) is not the colon of YAML",
    ),
    "full-width colon without a blank": (
        "      seed：7\n      size: 5\n",
        "7:11: ： (U+FF1A, fullwidth colon) is not",
    ),
    "full-width colon in braces": (
        "  - {id： s2, model: m}\n",
        "7:6: ： (U+FF1A, fullwidth colon) is not the colon",
    ),
    "full-width comma": (
        "  - {id: s2， model: m}\n",
        "7:12: ， (U+FF0C, fullwidth comma) is not the comma of YAML",
    ),
    "full-width brace": (
        "  - id: s2\n    inputs: ｛a: b｝\n",
        "8:13: ｛ (U+FF5B, fullwidth left curly bracket) is not",
    ),
    "curly quotes": (
        P + "“Close: a hand”\n",
        '7:19: “ (U+201C, left double quotation mark) is not a quote of YAML; write straight quotes: "Close: a hand"',
    ),
    "an accent in an id": (
        "  - id: scène-1\n    model: m\n",
        "7:9: shot scène-1, id: 'scène-1' is not an id because of è",
    ),
}

TEXTS = {
    "a colon": (
        "Close: a hand",
        "7:24: there is a second ': ' where only text is allowed; quote the text: promptText: \"Close: a hand\"",
    ),
    "a colon at the end": ("Close up:", 'quote the text: promptText: "Close up:"'),
    "a dash": ("- slow dolly in", 'quote the text: promptText: "- slow dolly in"'),
    "a question mark": ("? what", 'quote the text: promptText: "? what"'),
    "a comma": (", then", 'quote the text: promptText: ", then"'),
    "a per cent sign": ("%50 off", 'quote the text: promptText: "%50 off"'),
    "an at sign": ("@ noon", 'quote the text: promptText: "@ noon"'),
    "a backtick": ("`code`", 'quote the text: promptText: "`code`"'),
    "an asterisk": ("*wide* shot", 'quote the text: promptText: "*wide* shot"'),
    "an ampersand": ("& then", 'quote the text: promptText: "& then"'),
    "braces": ("{red|blue}", '7:19: {} hold fields with values; quote the text: promptText: "{red|blue}"'),
    "a template first": ("{{ look }} car", 'quote all of it: promptText: "{{ look }} car"'),
    "braces and more": ("{red|blue} car", 'quote all of it: promptText: "{red|blue} car"'),
    "brackets and more": ("[wide shot] a hand", 'quote all of it: promptText: "[wide shot] a hand"'),
    "an apostrophe in single quotes": ("'don't'", 'quote all of it: promptText: "don\'t"'),
    "two apostrophes": ("'it's the dogs' bone'", "quote all of it: promptText: \"it's the dogs' bone\""),
    "an escaped apostrophe": (r"'don\'t look'", 'quote all of it: promptText: "don\'t look"'),
    "quotes in quotes": ('"He says "hi" now"', "quote all of it: promptText: 'He says \"hi\" now'"),
    "a quote at the beginning": ('"Hi" he says', "quote all of it: promptText: '\"Hi\" he says'"),
    "three quotes": (
        '"""A hand"""',
        '7:21: the value ended before this; quote all of it: promptText: "A hand"',
    ),
    "a comma before another entry": (
        "x\n  - {id: s2, model: m, inputs: {a: [{p: a, b},{q: c, r: d}]}}",
        'a comma inside {} ends the value; quote the text: p: "a, b"',
    ),
    "a backslash": (r'"the \Ultra look"', "7:19: a backslash in double quotes begins an escape"),
    "a comma in braces": (
        "x\n  - {id: s2, model: m, inputs: {p: A hand, lifting glasses, and a cat, seed: 7}}",
        '8:36: a comma inside {} ends the value; quote the text: p: "A hand, lifting glasses, and a cat"',
    ),
    "thousands in braces": (
        "x\n  - {id: s2, model: m, inputs: {seed: 1,000}}",
        "8:39: a comma inside {} ends the value; write seed: 1000",
    ),
    "a backslash at the end": (r'"C:\"', "the backslash before the last one keeps it open; write it twice"),
    "a sign in braces": ("x\n  - {id: s2, inputs: {image: @door}}", 'quote the text: image: "@door"'),
    "a dash in braces": ("x\n  - {id: s2, inputs: {p: - slow}}", 'quote the text: p: "- slow"'),
    "a number behind a hash in braces": (
        "x\n  - {id: s2, inputs: {p: A hand #1}}",
        "a comment begins at ' #'; quote the text: p: \"A hand #1\"",
    ),
    "brackets in braces": (
        "x\n  - {id: s2, inputs: {p: A hand [close], seed: 7}}",
        'quote the text: p: "A hand [close]"',
    ),
    "a colon in braces": (
        "x\n  - {id: s2, inputs: {p: Close: a hand}}",
        'quote the text: p: "Close: a hand"',
    ),
    "an apostrophe in braces": (
        "x\n  - {id: s2, inputs: {p: 'don't', seed: 7}}",
        'quote the text: p: "don\'t"',
    ),
}

LAYOUT = {
    "a field too deep": (
        "       seed: 7\n      size: 5\n",
        "7:8: this line continues the text above, since it is indented deeper; indent it by 6 blanks",
    ),
    "a field not deep enough": (
        "     seed: 7\n",
        "7:6: this line is not indented like the fields above it; indent it by 6 blanks, not by 5",
    ),
    "a field of a shot": (
        "      seed: 7\n   notes: x\n",
        "8:4: this line is not indented like the fields above it; indent it by 4 blanks, not by 3",
    ),
    "an entry too deep": (
        "    - id: s2\n      model: m\n",
        "7:5: this line is not indented like the entries above it; indent it by 2 blanks",
    ),
    "an entry not deep enough": (
        " - id: s2\n   model: m\n",
        "7:2: this line is not indented like the entries above it; indent it by 2 blanks",
    ),
    "two blanks behind a dash": (
        "  -  id: s2\n    model: m\n",
        "7:3: the fields below are not indented like this one; write one blank behind its dash",
    ),
    "an input like its field": (
        "  - id: s2\n    model: m\n    inputs:\n    seed: 7\n",
        "10:5: shot s2: unknown field 'seed'; indent it deeper than inputs:",
    ),
    "an entry without its dash": (
        "  - id: s2\n    model: m\n    id: s3\n    model: m\n",
        "9:5: 'id' is written twice in one mapping (first at line 7); begin a new entry with '- '",
    ),
    "a tab": ("\t\tseed: 7\n", "7:1: a tab indents this line"),
    "a block text like its key": (
        P + "|\n      A hand\n      seed: 7\n",
        "8:7: a block text begins here; indent it deeper than its key, by 8 blanks",
    ),
    "a block text outside": (
        P + "|\n     A hand\n",
        "8:6: a block text begins here; indent it deeper than its key, by 8 blanks",
    ),
    "a block text that rises": (
        P + "|\n          A\n        b\n",
        "9:9: this line of a block text is indented less than its first line; indent it by 10 blanks",
    ),
    "a text of bars after the bar": (P + "| A | b\n", 'this one: promptText: "A | b"'),
    "a text after the bar": (P + "| A hand\n", "7:21: text after '|' or '>' begins on the next line"),
    "a comment inside a text": (
        P + "A hand\n        # slow\n        lifts\n",
        "8:9: a comment ends the text above; remove it",
    ),
    "a text not deep enough": (
        P + "A hand\n      lifts the cup\n",
        "8:7: indent the line deeper if it continues the text above, or write 'lifts: the cup'",
    ),
    "an open list": ("      images: [a, b\n" + S2, "7:15: the list that opens with '[' is not closed"),
    "an open list before a field": (
        "      images: [a, b\n      seed: 7\n",
        "7:15: the list that opens with '[' is not closed",
    ),
    "an open mapping": (
        "  - {id: s2, model: m\n  - {id: s3, model: m}\n",
        "7:5: the mapping that opens with '{' is not closed",
    ),
    "a comment that hides a brace": (
        "  - {id: s2, inputs: {p: Shot #3, a}}\n",
        "7:26: the '{' before it is not closed, for a comment begins at ' #'",
    ),
    "a field behind lines of a text": (
        P + "A hand\n        lifts it\n        seed: 7\n",
        "9:9: this line continues the text above, since it is indented deeper; indent it by 6 blanks",
    ),
    "a dash inside brackets": (
        "    tags: [\n      - a\n    ]\n",
        "8:7: an entry inside [] begins without a dash; remove the dash",
    ),
    "a comment inside a block text": (
        P + "|\n        a\n# c\n        b\n",
        "9:1: a comment ends the block text here",
    ),
    "a fence": ("```\n", "7:1: a fence of Markdown is not YAML"),
    "a ruler": ("-----\n" + S2, "7:1: a line of signs is not YAML"),
    "a conflict": (
        "<<<<<<< HEAD\n      seed: 7\n=======\n      seed: 8\n>>>>>>> x\n",
        "7:1: git left a conflict here",
    ),
    "three dashes": ("---\n" + S2, "7:1: a second document begins here"),
    "three dots": ("...\n" + S2, "7:1: '...' ends the manifest, and text follows it; remove this line"),
    "an entry among fields": (
        P + "x\n      - seed: 7\n",
        "8:7: this entry of a list stands among fields; remove its dash, or indent it by 2 blanks",
    ),
    "a field twice": (
        "      seed: 7\n      seed: 8\n",
        "8:7: 'seed' is written twice in one mapping (first at line 7)",
    ),
}

OPEN = "the quote that opens here ends at line {}, behind other fields; close it where its text ends"
QUOTES = {
    "an apostrophe first, and one last": (
        P + f"'70s look\n{S2}    notes: the dogs'\n",
        f"7:19: {OPEN.format(10)}",
    ),
    "double quotes": (P + f'"A hand\n{S2}    notes: "B"\n', f"7:19: {OPEN.format(10)}"),
    "a sign behind the next quote": (P + f'"A hand\n{S2}    notes: "@B"\n', f"7:19: {OPEN.format(10)}"),
    "inside braces": (
        "  - {id: s2, inputs: {p: 'A hand, seed: 7}}\n  - {id: s3, inputs: {p: 'B'}}\n",
        f"7:26: {OPEN.format(8)}",
    ),
    "an id": ("  - id: 's2\n    model: m\n    notes: it's\n", f"7:9: {OPEN.format(9)}"),
    "an apostrophe to the end": (
        P + "'70s look\n      seed: 7\n",
        '7:19: the quote that opens here is never closed; close it, or quote the whole text: promptText: "\'70s look"',
    ),
    "in a list": ("    tags:\n      - 'a\n      - b'\n", f"8:9: {OPEN.format(9)}"),
    "before a key": ("  - 'id: s2\n    model: m\n" + S2 + "    notes: it's\n", f"7:5: {OPEN.format(11)}"),
    "before a key in braces": (
        "  - {'id: s2, model: m}\n  - {id: s3, notes: 'x'}\n",
        f"7:6: {OPEN.format(8)}",
    ),
    "to the end": (P + '"A hand\n      seed: 7\n', "7:19: the quote that opens here is never closed"),
}

ALL = {
    **SIGNS,
    **LOOK_ALIKES,
    **LAYOUT,
    **QUOTES,
    **{key: (P + text + "\n", words) for key, (text, words) in TEXTS.items()},
}


@pytest.mark.parametrize(("text", "words"), ALL.values(), ids=ALL)
def test_a_mistake_is_one_problem_where_it_was_made(text: str, words: str) -> None:
    errors = [
        str(p).removeprefix("m.yaml:") for p in read(HEAD + text).problems if p.severity is Severity.ERROR
    ]
    assert len(errors) == 1, errors
    assert words in errors[0]


@pytest.mark.parametrize("text", [text for text, _ in ALL.values()], ids=ALL)
def test_both_loaders_report_a_mistake_in_the_same_words(text: str) -> None:
    _, fast = node_of(HEAD + text)
    _, pure = node_of(HEAD + text, yaml.SafeLoader)
    assert fast == pure


RIGHT = {
    "a quoted text over lines": P + "'A hand\n        lifts: a cup\n\n        and goes'\n      seed: 7\n",
    "a quoted text of lines without fields": P + '"A hand\n  lifts - it\n- goes"\n',
    "JSON in a quoted text": P + '\'{\n  "shot": "wide",\n  "seed": 1\n}\'\n',
    "a quoted text on a line of its own": P + '\n        "Camera: slow\n        Lens: 50 mm"\n',
    "a quoted entry": "      images:\n        - 'a\n          b'\n",
    "a block text with colons": P
    + "|\n        Lens： 50 mm\n        seed:7\n        – model: x\n      seed: 7\n",
    "a block text with labels": P
    + "|\n        A hand\n        Camera: slow\n        lens: 50 mm\n          seed: 7\n",
    "a block text of labels": P + "|\n        scene: a hand\n        camera_move: pan\n        fps: 24\n",
    "other words in braces": P + '"A {red} cat, {{ look }}, 5 % look"\nvars: {look: x}\n',
    "frames and a sign": '      a: "@door"\n      b: "@@door"\nframes: {door: https://e.com/b}\n',
    "a style in a prompt": P + '"A cat, {{ style }}"\n    style: noir\nstyles: {noir: {text: black}}\n',
    "a style that nobody uses": "styles: {noir: {text: black}}\n",
    "notes with a field": "    notes: |\n      Good:\n      seed: 7\n",
    "quotes and inches at the end": P
    + 'He says "hi"\n      a: a 24"\n      b: the dogs\'\n      c: er „so”\n',
    "swept numbers and texts": "    sweep: {seed: [101,102], 'q': [A hand, A cat], r: [slow pan, fast pan]}\n",
    "a text over lines": P + "A hand\n        lifts the cup\n      seed: 7\n",
    "braces over lines": "  - {\n    id: s2,\n    model: m,\n    inputs: {a: b,\n  c: d}\n  }\n",
    "braces with empty values": "  - {id: s2, model: m, sweep: {}, inputs: {a: 'b', c: \"d\"  , e :  f}}\n",
    "JSON": '  - {"id":"s2","model":"m","inputs":{"a":"b","c":1}}\n',
    "prose in another script": P + "镜头：缓慢推进，特写\n",
    "quoted words at both ends": P + "“Run!” she said, “now”\n",
    "an address": "      other: https://e.com/a:b#c\n",
    "a time and a ratio": "      size: 16:9\n      at: 12:30\n",
    "dashes and signs in a text": P + "a – b | c & d * e -- f ? g\n",
}


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT)
def test_what_is_right_is_not_reported(text: str) -> None:
    assert told(HEAD + text) == []


@pytest.mark.parametrize("separator", ["\u2028", "\u2029"])
def test_a_line_separator_of_unicode_is_a_part_of_a_text(separator: str) -> None:
    """YAML 1.2, 5.4, says so; the parser is one of YAML 1.1."""
    text = f"{HEAD}{P}A hand{separator}lifts\n      q: 'a {separator} b'\n      r: |\n        c{separator}d\n"
    (shot,) = read(text).shots
    inputs = shot.variants[0].inputs
    values = [node.text for name in ("promptText", "q", "r") if isinstance(node := inputs[name], Text)]
    assert values == [f"A hand{separator}lifts", f"a {separator} b", f"c{separator}d\n"]
    assert inputs["q"].at.line == 8
    assert told(f"{HEAD}{P}a{separator}b\n      seed 7\n")[0].startswith("8:11: a colon is missing")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            P + "Shot #3, a cat\n",
            "dropped as a comment: '#3, a cat'; quote the whole text: \"Shot #3, a cat\"",
        ),
        (P + "#00cc00\n", 'quote the whole text: "#00cc00"'),
        (
            P + "“A hand”\n",
            '“ and ” are not quotes of YAML, and are sent with the text; to leave them out, write: "A hand"',
        ),
        ("    notes: a\n      - b\n", "7:12: warning: this text takes in the list below it"),
        (
            P + "|\n      Close: hand\n",
            "7:19: warning: this block text is empty; indent its lines deeper than its key",
        ),
        (
            P + "|\n        A hand\n        image: x\n",
            "9:9: warning: 'image: x' is a line of the text above; if it is a field, indent it like the key",
        ),
        (P + ">\n        A hand\n        negativePrompt: blur\n        seed: 7\n", "9:9: warning: 'negative"),
        (P + ">-\n        A hand\n\n        seed: 7\n", "10:9: warning: 'seed: 7' is a line of the text"),
        (P + "‘A hand’\n", "‘ and ’ are not quotes of YAML"),
        (P + '“A hand"\n', '“ and " are not quotes of YAML'),
        (
            P + 'A hand"\n',
            'the last " closes nothing, and is sent with the text; to leave it out, write: "A hand"',
        ),
        (P + "A hand”\n", "the last ” closes nothing"),
        (P + "TBD\n", "7:19: warning: shot s1, inputs.promptText: the prompt is only 'TBD'"),
        (P + '"#REF!"\n', "7:19: shot s1, inputs.promptText: '#REF!' is the error of a spreadsheet"),
        (
            P + '"A { look } cat"\nvars: {look: x}\n',
            "'{ look }' is sent as it is; write {{ look }} for the variable",
        ),
        (P + '"A ${look} cat"\nvars: {look: x}\n', "'${look}' is sent as it is"),
        (P + '"A %look% cat"\nvars: {look: x}\n', "'%look%' is sent as it is"),
        (
            "    style: noir\nstyles: {noir: {text: black}}\n",
            "8:23: warning: styles: no prompt holds {{ style }}, so this text has no effect",
        ),
        (
            "      tail: door\nframes: {door: https://e.com/b}\n",
            "7:13: warning: shot s1, inputs.tail: 'door' is not a reference; for the frame write \"@door\"",
        ),
        ('      tail: "{frame: door}"\nframes: {door: https://e.com/b}\n', 'for the frame write "@door"'),
        (
            "      tails: [a, door]\nframes: {door: https://e.com/b}\n",
            "7:18: warning: shot s1, inputs.tails: 'door'",
        ),
        ('      tail: "@ door"\nframes: {door: https://e.com/b}\n', 'for the frame write "@door"'),
        (P + "=A1\n", "7:19: warning: shot s1, inputs.promptText: '=A1' is a formula"),
        (
            "    sweep: {seed: [12,345]}\n",
            "7:20: warning: shot s1, sweep.seed: [12,345] is 2 values; for one",
        ),
        (
            "    sweep: {q: [A hand, slow and calm, A cat]}\n",
            "7:25: warning: shot s1, sweep.q: 'slow and calm' is a value of its own; if the comma is meant, write",
        ),
    ],
    ids=[
        "comment",
        "colour",
        "curly quotes",
        "list",
        "block",
        "a name of the file in a block",
        "a name of parts in a block",
        "a number in a block",
        "single curly quotes",
        "two kinds of quotes",
        "a stray quote",
        "a stray curly quote",
        "a filler",
        "an error of a spreadsheet",
        "a variable in braces",
        "a variable of a shell",
        "a variable of Windows",
        "a style that no prompt takes",
        "the name of a frame",
        "a frame in quotes",
        "a frame in a list",
        "a frame behind a blank",
        "a formula",
        "thousands in a sweep",
        "a comma in a swept text",
    ],
)
def test_a_text_that_was_hardly_meant_is_a_warning(text: str, words: str) -> None:
    assert [problem for problem in told(HEAD + text) if words in problem], told(HEAD + text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("version 1\nshots: []\n", "1:8: a colon is missing here; write 'version: 1'"),
        ("version:1\nshots: []\n", "1:9: a blank is missing after the colon; write 'version: 1'"),
        (
            " version: 1\nshots: []\n",
            "1:1: blanks indent this line, and not the fields below it; remove them",
        ),
        (
            "version: 1\n shots: []\n",
            "2:2: this line continues the text above, since it is indented deeper; do not",
        ),
        ("```yaml\nversion: 1\n```\n", "1:1: a fence of Markdown is not YAML"),
        ("shots:\n  – id: s1\n", "2:3: – (U+2013, en dash) does not begin an entry"),
        ("shots:\n  -id: s1\n", "2:3: a blank is missing after the dash; write '- id: s1'"),
        ("shots:\n  - *a : 1\n", "2:5: *a refers to nothing above it"),
        (
            "shots:\n - id: s1\n    model: m\n  - id: s2\n",
            "2:2: this entry is not indented like those below it; indent it",
        ),
    ],
    ids=["colon", "blank", "first line", "second line", "fence", "en dash", "dash", "alias", "entry"],
)
def test_a_mistake_at_the_top_is_reported_where_it_was_made(text: str, expected: str) -> None:
    _, problems = node_of(text)
    assert len(problems) == 1, problems
    assert problems[0].startswith(f"m.yaml:{expected}")


def test_a_mapping_in_place_of_a_list_shows_the_first_entry() -> None:
    (problem,) = told("version: 1\nshots:\n  s1: {model: m}\n")
    assert problem.endswith("must be a list, not a mapping; begin each entry with a dash, as in - id: s1")


def test_what_switches_the_sweep_of_the_defaults_off_is_shown_only_where_it_helps() -> None:
    (own,) = told(HEAD + "      seed: 7\n    sweep: {seed: [1, 2]}\n")
    (other,) = told(HEAD.replace("shots:", "defaults: {sweep: {seed: [1, 2]}}\nshots:") + "      seed: 7\n")
    assert own.endswith("is given and swept at once; keep one")
    assert other.endswith("keep one (sweep: {} switches the defaults' sweep off)")


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\ndefualts: {model: m}\nshots: [{id: a}, {id: b}]\n",
        "version: 1\nshtos: [{id: a, model: m}]\n",
        "Version: 1\nshots: [{id: a, model: m}]\n",
        "version: 1\nshots: [{ID: a, model: m}]\n",
        "version: 1\nshots: [{id: a, modle: m}]\n",
        "version: 1\nsequences: [{id: a, model: m, frame: [a, b], prompts: [x]}]\n",
        "version: 1\nsequences: [{id: a, model: m, frames: [a, b], prompts: [{promt: x}]}]\n",
    ],
)
def test_a_misspelt_field_is_not_missing_as_well(text: str) -> None:
    (problem,) = told(text)
    assert "did you mean" in problem


def test_a_word_that_is_less_like_a_field_is_an_input() -> None:
    (problem,) = told("version: 1\nshots: [{id: a, model: m, prompt: x}]\n")
    assert "unknown field 'prompt'; a model's inputs go under inputs:" in problem


def test_the_mistakes_of_several_shots_are_found_at_once() -> None:
    shots = (
        "  - id: s2\n    model:m\n  - {id: s3, notes: a: b}\n"
        "  - id: s4\n    notes: 'don't'\n    tags: [a]\n  - id: s5\n    notes: \"open\n"
        "  – id: s6\n  - id: s7\n   model: m\n  - id: s8\n    notes: fine\n"
    )
    places = [problem.split(": ")[0] for problem in told(HEAD + shots)]
    assert places == ["8:11", "9:21", "11:17", "14:12", "15:3", "17:4"]


def test_the_lines_of_a_shot_are_left_out_whole_where_its_last_line_is_the_mistake() -> None:
    text = (
        HEAD
        + "  - id: s2\n  x\n    tags: [a]\n    notes: |\n      b\n# c\n      d\n"
        + S2.replace("s2", "s3")
    )
    assert [problem.split(": ")[0] for problem in told(text)] == ["8:4"]


def test_a_large_board_is_read_once_for_a_mistake() -> None:
    text = HEAD + "".join(f"  - id: t{n}\n    model:m\n" for n in range(50_000))
    with at_most(200):
        assert len(told(text)) == 1


def test_a_prompt_with_a_colon_is_not_a_mapping() -> None:
    text = "version: 1\nsequences:\n- {id: w, model: m, frames: [a, b], prompts: [Wide shot: he turns]}\n"
    (problem,) = told(text)
    assert problem == '3:47: sequence w, prompt 1: quote a text that holds a colon: "Wide shot: he turns"'


def test_a_second_byte_order_mark_changes_nothing() -> None:
    assert told("\ufeff\ufeff" + HEAD + "  - {id: s2, model: m, inputs: {a: b, c: d}}\n") == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('format: x\ncolumns: {"Shot": id}\n', "2:1: this is a column map; give the sheet"),
        ("version: 1\nfaults: []\n", "2:1: this is a script for the simulator"),
    ],
    ids=["column map", "script"],
)
def test_a_file_of_another_kind_is_named(text: str, words: str) -> None:
    (problem,) = told(text)
    assert problem.startswith(words)


def test_json_lines_are_named() -> None:
    (problem,) = told('{"id":"s1","model":"m"}\n{"id":"s2","model":"m"}\n')
    assert problem.startswith("2:1: a second JSON object begins here: JSON Lines are not read")


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "{b " * 20_000,
        HEAD + " x: y\n" * 20_000,
        HEAD + P + "'" + "\n x" * 20_000,
        HEAD + P + "'" + "\n seed: 7" * 20_000 + "'\n",
        HEAD + "  - {id: a" + ", b c" * 20_000 + "}\n",
        HEAD + "  - {id: a" + ", b: c, d" * 20_000 + "}\n",
        HEAD + "  - [" + "{a: b, c}, " * 5_000 + "]\n",
        HEAD + "  - {" + "".join(f"é{n}: 1, " for n in range(5_000)) + "}\n",
        HEAD + P + "{" + "b, " * 20_000 + "}\n",
        HEAD + "  - {id: s2, inputs: {p: " + "x " * 20_000 + " " * 50_000 + "[y]}}\n",
        HEAD + P + "“" * 20_000 + ": x\n",
        HEAD + " " * 20_000 + "x\n" + "-" * 20_000 + "\n",
        HEAD
        + P
        + "|\n"
        + "        A: b\n" * 20_000
        + "        seed: 7\n"
        + "        "
        + "a_" * 20_000
        + "\n",
        HEAD + P + "'" + "{ look % <look" * 5_000 + "{look}'\nvars: {look: x}\n",
    ],
    ids=[
        "depth",
        "indentation",
        "quote",
        "fields in a quote",
        "commas",
        "fields",
        "mappings",
        "keys",
        "braces",
        "brackets",
        "quotes",
        "blanks",
        "a block",
        "forms",
    ],
)
@at_most(40)
def test_the_search_for_a_mistake_takes_no_longer_than_the_file(text: str) -> None:
    assert read(text).problems
