package main

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"regexp"
	"strings"
)

// An export has one form of ZIP file only: members stored plainly, each right after the other, with the same date and
// rights, no comment, nothing before, between and behind them. So the file is held to that form byte for byte, and not
// given to archive/zip, which reads what a directory says and passes over what lies beside it.

const (
	membersMax     = 65_000
	memberBytesMax = 64 << 20
	endBytes       = 22
	directoryBytes = 46
	localBytes     = 30
	date           = 33 // 1980-01-01
	rights         = 0o100644
)

var pathForm = regexp.MustCompile(`^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$`)
var drive = regexp.MustCompile(`^[A-Za-z]:`)

// readArchive returns every member of the ZIP file by its name.
func readArchive(data []byte) map[string][]byte {
	le := binary.LittleEndian
	if !bytes.HasPrefix(data, []byte("PK\x03\x04")) {
		fail("not-a-zip", "the file", "this is not a ZIP file")
	}
	if len(data) < endBytes || !bytes.HasPrefix(data[len(data)-endBytes:], []byte("PK\x05\x06")) {
		fail("truncated", "the file", "the ZIP file is cut off, or something was added behind its end")
	}
	end := data[len(data)-endBytes:]
	count, size, start := le.Uint16(end[10:]), le.Uint32(end[12:]), le.Uint32(end[16:])
	if !bytes.Equal(end, endRecord(count, size, start)) || uint64(start)+uint64(size) != uint64(len(data)-endBytes) {
		fail("container", "the file", "the directory of the ZIP file does not fit the file")
	}
	if count > membersMax || size > membersMax*300 {
		fail("too-large", "the file", "more than %d members", membersMax)
	}
	directory := data[start : start+size]
	files := map[string][]byte{}
	offset, place := uint64(0), uint64(0)
	for range count {
		name, content, record := readMember(data, directory[place:], offset, uint64(start), files)
		files[name] = content
		place += record
		offset += localBytes + uint64(len(name)) + uint64(len(content))
	}
	if place != uint64(len(directory)) || offset != uint64(start) {
		fail("container", "the file", "something stands between or behind the members of the ZIP file")
	}
	return files
}

// readMember returns the name and the bytes of the member whose directory record comes next, and that record's length.
func readMember(data, directory []byte, offset, start uint64, files map[string][]byte) (string, []byte, uint64) {
	le := binary.LittleEndian
	fields := make([]byte, directoryBytes)
	copy(fields, directory)
	length := uint64(le.Uint16(fields[28:]))
	raw := directory[min(directoryBytes, len(directory)):min(directoryBytes+int(length), len(directory))]
	name := string(raw)
	checkName(name, files)
	crc, packed, size := le.Uint32(fields[16:]), le.Uint32(fields[20:]), le.Uint32(fields[24:])
	switch {
	case size > memberBytesMax:
		fail("too-large", name, "it claims %d bytes; at most %d are read", size, memberBytesMax)
	case le.Uint32(fields[38:])>>16&0o170000 == 0o120000:
		fail("link", name, "this is a link to another file; an export has none")
	case le.Uint16(fields[10:]) != 0 || packed != size:
		fail("compressed", name, "this is compressed; an export stores its files plainly")
	}
	record, header := directoryRecord(name, crc, size, uint32(offset)), localHeader(name, crc, size)
	first := offset + uint64(len(header))
	if !bytes.HasPrefix(directory, record) || first > start || !bytes.Equal(data[offset:first], header) {
		fail("container", name, "the ZIP file's record of this member is not of the form of an export")
	}
	if first+uint64(size) > start {
		fail("container", name, "this member reaches into the directory of the ZIP file")
	}
	content := data[first : first+uint64(size)]
	if crc32.ChecksumIEEE(content) != crc {
		fail("altered", name, "its check sum in the ZIP file is not that of its bytes")
	}
	return name, content, uint64(len(record))
}

func checkName(name string, files map[string][]byte) {
	parts := strings.Split(strings.ReplaceAll(name, `\`, "/"), "/")
	unsafe := strings.HasPrefix(name, "/") || strings.HasPrefix(name, `\`) || drive.MatchString(name)
	for _, part := range parts {
		unsafe = unsafe || part == ".." || part == "."
	}
	if unsafe || !pathForm.MatchString(name) || len(name) > 200 {
		fail("path-unsafe", strings.ToValidUTF8(name, "?"), "an export has no path like this one: unpack this file nowhere")
	}
	if _, there := files[name]; there {
		fail("doubled", name, "this name is there twice in the ZIP file")
	}
}

func endRecord(count uint16, size, start uint32) []byte {
	return put([]byte("PK\x05\x06"), uint16(0), uint16(0), count, count, size, start, uint16(0))
}

func localHeader(name string, crc, size uint32) []byte {
	zero := uint16(0)
	head := put([]byte("PK\x03\x04"), uint16(20), zero, zero, zero, uint16(date), crc, size, size, uint16(len(name)), zero)
	return append(head, name...)
}

func directoryRecord(name string, crc, size, offset uint32) []byte {
	zero := uint16(0)
	head := put(
		[]byte("PK\x01\x02"), uint16(0x314), uint16(20), zero, zero, zero, uint16(date), crc, size, size,
		uint16(len(name)), zero, zero, zero, zero, uint32(rights)<<16, offset,
	)
	return append(head, name...)
}

func put(to []byte, values ...any) []byte {
	for _, value := range values {
		switch number := value.(type) {
		case uint16:
			to = binary.LittleEndian.AppendUint16(to, number)
		case uint32:
			to = binary.LittleEndian.AppendUint32(to, number)
		}
	}
	return to
}
