"""The converter from Debian stanzas to records and back."""

import os
import tempfile
import unittest

import catalogue

BASH = b"Package: bash\nArchitecture: amd64\nDescription: shell\n Package: not a field\n"
ZLIB = b"Package: zlib1g\nArchitecture: i386\n"
TOOL = b"Architecture: all\nPackage: a-tool\nMaintainer: J\xf6rg\n"


class ParseTest(unittest.TestCase):
    def test_key_is_name_and_foreign_architecture_is_named(self):
        records = catalogue.parse(b"\n".join((BASH, ZLIB, TOOL)), b"amd64")
        self.assertEqual(list(records), [b"a-tool", b"bash", b"zlib1g:i386"])

    def test_value_is_the_whole_stanza(self):
        records = catalogue.parse(b"\n\n" + BASH + b"\n \n\n" + TOOL, b"amd64")
        self.assertEqual(records, {b"a-tool": TOOL, b"bash": BASH})

    def test_package_in_two_architectures_gives_two_records(self):
        both = ZLIB + b"\n" + ZLIB.replace(b"i386", b"amd64")
        self.assertEqual(list(catalogue.parse(both, b"amd64")), [b"zlib1g", b"zlib1g:i386"])

    def test_duplicate_key_is_an_error(self):
        with self.assertRaisesRegex(catalogue.CatalogueError, "'bash' occurs twice"):
            catalogue.parse(BASH + b"\n" + BASH, b"amd64")

    def test_stanza_without_package_is_an_error(self):
        with self.assertRaisesRegex(catalogue.CatalogueError, "names no package"):
            catalogue.parse(b"Version: 1\n", b"amd64")


class NdjsonTest(unittest.TestCase):
    def test_round_trip_keeps_bytes_that_are_not_utf8(self):
        records = catalogue.parse(b"\n".join((BASH, ZLIB, TOOL)), b"amd64")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "x.ndjson")
            catalogue.write_ndjson(records, path)
            with open(path, encoding="utf-8") as stream:
                self.assertEqual(catalogue.read_ndjson(stream), records)

    def test_export_out_of_order_is_an_error(self):
        lines = ['{"key":"b","value":""}', '{"key":"a","value":""}']
        with self.assertRaisesRegex(catalogue.CatalogueError, "not in key order"):
            catalogue.read_ndjson(lines)

    def test_export_with_a_key_twice_is_an_error(self):
        with self.assertRaises(catalogue.CatalogueError):
            catalogue.read_ndjson(['{"key":"b","value":""}'] * 2)


class DigestTest(unittest.TestCase):
    def test_order_of_insertion_does_not_matter(self):
        self.assertEqual(catalogue.digest({b"a": b"1", b"b": b"2"}),
                         catalogue.digest({b"b": b"2", b"a": b"1"}))

    def test_moving_a_byte_from_key_to_value_matters(self):
        self.assertNotEqual(catalogue.digest({b"ab": b"c"}), catalogue.digest({b"a": b"bc"}))


if __name__ == "__main__":
    unittest.main()
