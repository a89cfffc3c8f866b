"""Members of zip archives, read where they are touched.

`zipfile` goes back in a member by reading it again from its beginning, and a dump is read here and there: it would read
a large member thousands of times. The views below go back at once, or to a point that is near. Nothing is unpacked to a
disk, and as no member is read as a whole, its checksum is not checked.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from bisect import bisect_right
from typing import Any

#: What is read of the archive at a time, and made of it at most.
PIECE, MADE = 1 << 14, 1 << 18
#: Points of a member from which its reading can go on, at most: each keeps some 60 KiB.
POINTS = 512
#: Points are not closer than this.
CLOSEST = 1 << 20
#: What `zipfile` knows of a member that is open. It is no part of its interface.
KNOWN = ("_fileobj", "_orig_compress_start", "_orig_file_size", "_compress_type", "_decrypter")


def seekable(file: Any) -> Any:
    """The same file, or another view of it that goes back at little cost."""
    if not isinstance(file, zipfile.ZipExtFile):
        return file
    # Where it is called otherwise, and where a password is needed, a member is read as `zipfile` reads it.
    packed, start, size, kind, encrypted = (getattr(file, name, None) for name in KNOWN)
    if packed is None or start is None or size is None or encrypted is not None:
        return file
    if kind == zipfile.ZIP_STORED:
        return Stored(file, packed, start, size)
    if kind == zipfile.ZIP_DEFLATED:
        return Deflated(file, packed, start, size)
    return file


class Stored:
    """A member that lies in its archive as it is."""

    def __init__(self, member: zipfile.ZipExtFile, packed: Any, start: int, size: int) -> None:
        # Without anybody who has it, the member would close the archive.
        self.member, self.packed, self.start, self.size = member, packed, start, size
        self.position = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if whence not in (io.SEEK_SET, io.SEEK_END):
            raise ValueError(f"whence is 0 or 2, not {whence}")
        self.position = offset if whence == io.SEEK_SET else self.size + offset
        return self.position

    def read(self, size: int, /) -> bytes:
        if self.member.closed:
            raise ValueError(f"{self.member.name} is closed: ask while it is open")
        piece = self._read(max(min(size, self.size - self.position), 0)) if self.position < self.size else b""
        self.position += len(piece)
        return piece

    def _read(self, size: int) -> bytes:
        self.packed.seek(self.start + self.position)
        piece: bytes = self.packed.read(size)
        return piece


class Deflated(Stored):
    """A member that is compressed: read forwards, and on from points that were passed before."""

    def __init__(self, member: zipfile.ZipExtFile, packed: Any, start: int, size: int) -> None:
        super().__init__(member, packed, start, size)
        self.spacing = max(CLOSEST, size // POINTS)
        #: Places in the member, and what goes on there: a place in the archive, and a decompressor to be copied.
        self.places = [0]
        self.points = [(start, zlib.decompressobj(-zlib.MAX_WBITS))]
        self._go_on_from(0)

    def _go_on_from(self, number: int) -> None:
        self.at = self.places[number]
        self.from_, decompressor = self.points[number]
        self.decompressor = decompressor.copy()
        self.made = b""

    def _read(self, size: int) -> bytes:
        number = bisect_right(self.places, self.position) - 1
        # What was made last begins at `at`; further on is cheaper than from a point only if no point lies between.
        if not self.at <= self.position or self.places[number] > self.at + len(self.made):
            self._go_on_from(number)
        while self.at + len(self.made) <= self.position:
            self._go_on()
        offset = self.position - self.at
        return self.made[offset : offset + size]

    def _go_on(self) -> None:
        """Makes the next piece of the member."""
        self.at += len(self.made)
        if self.at - self.places[-1] >= self.spacing:
            self.places.append(self.at)
            self.points.append((self.from_, self.decompressor.copy()))
        self.made = b""
        while not self.made:
            rest = self.decompressor.unconsumed_tail
            if not rest:
                self.packed.seek(self.from_)
                rest = self.packed.read(PIECE)
                self.from_ += len(rest)
            if not rest or self.decompressor.eof:
                raise zipfile.BadZipFile(f"{self.member.name} is shorter than the archive says")
            self.made = self.decompressor.decompress(rest, MADE)
