// Checks an export of a Doorstep evidence trail by other means than verify.py does: the notes and the tree are those of
// Go's own module transparency log (golang.org/x/mod/sumdb). In the unpacked folder go/:
//
//	go run . ../../EXPORT.zip [KEY]
//
// Ends with status 0 and the counts of what was proven, or with 1 and the first thing that is wrong: the place, what it
// is, and the same word for it as verify.py has. The ZIP file is read by archive.go, the JSON by strict.go.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	exportFormat   = "doorstep-export/v1"
	subjectsFormat = "doorstep-subjects/v1"
	proofFormat    = "c2sp.org/tlog-proof@v1"
	entryBytesMax  = 65_535
	noteBytesMax   = 1_000_000
)

type manifest struct {
	Format   string
	Vkey     string
	MadeAt   json.RawMessage `json:"made_at"`
	Query    map[string]any
	Subjects []string
	Logs     []struct {
		Log, Origin   string
		Size, Entries int64
	}
	Files []struct {
		Path, Sha256 string
		Size         int
	}
}

type leaf struct {
	Log      string
	Subjects []struct {
		Ref  string
		N    int
		Prev *string
	}
}

// fail ends the program: kind is the word that verify.py has for it.
func fail(kind, place, format string, values ...any) {
	fmt.Printf("WRONG %s: %s (%s)\n", place, fmt.Sprintf(format, values...), kind)
	os.Exit(1)
}

func main() {
	if len(os.Args) < 2 || len(os.Args) > 3 {
		fmt.Fprintln(os.Stderr, "usage: verify EXPORT.zip [KEY]")
		os.Exit(2)
	}
	data, err := os.ReadFile(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	files := readArchive(data)
	inside := strings.TrimSpace(string(limited(files, "vkey", 1_000)))
	key := inside
	if len(os.Args) == 3 {
		key = os.Args[2]
	}
	verifier, err := note.NewVerifier(key)
	if err != nil {
		fail("key-malformed", "vkey", "%v", err)
	}
	listed := checkManifest(files, verifier, inside)
	checkQuestion(files, listed)
	for _, log := range listed.Logs {
		checkLog(files, verifier, listed, log.Log, log.Origin, log.Size, log.Entries)
	}
	if listed.MadeAt != nil {
		fmt.Println("made at", strings.Trim(string(listed.MadeAt), `"`))
	}
	fmt.Println("everything holds, under the key", key)
}

// limited returns a file that must be there, and not be larger than this.
func limited(files map[string][]byte, path string, bytesMax int) []byte {
	data, there := files[path]
	if !there {
		fail("missing", path, "this file is not there")
	}
	if len(data) > bytesMax {
		fail("too-large", path, "%d bytes; at most %d fit", len(data), bytesMax)
	}
	return data
}

var signatureLine = regexp.MustCompile("^\u2014 ([^+\\s]+) (\\S+)$")
var control = regexp.MustCompile(`[\x00-\x09\x0b-\x1f]`)

// open returns the text of a note that this key signed, on exactly one line; alone: and no other key on any.
func open(signed []byte, verifier note.Verifier, place string, alone bool) string {
	at := bytes.LastIndex(signed, []byte("\n\n"))
	if at < 0 || !bytes.HasSuffix(signed, []byte("\n")) || control.Match(signed) {
		fail("note-malformed", place, "this is no signed note: text, a blank line, signatures")
	}
	lines := strings.Split(strings.TrimSuffix(string(signed[at+2:]), "\n"), "\n")
	ours := 0
	for _, line := range lines {
		found := signatureLine.FindStringSubmatch(line)
		if found == nil {
			fail("note-malformed", place, "a signature line of the note is malformed")
		}
		signature, err := base64.StdEncoding.DecodeString(found[2])
		if err != nil || len(signature) < 5 || base64.StdEncoding.EncodeToString(signature) != found[2] {
			fail("note-malformed", place, "a signature line of the note is malformed")
		}
		hash := uint32(signature[0])<<24 | uint32(signature[1])<<16 | uint32(signature[2])<<8 | uint32(signature[3])
		if found[1] == verifier.Name() && hash == verifier.KeyHash() {
			ours++
		}
	}
	if ours == 0 {
		fail("other-key", place, "the note is not signed by the key %s", verifier.Name())
	}
	if ours > 1 {
		fail("signature-bad", place, "the note has a second signature line by the same key")
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		fail("signature-bad", place, "%v", err)
	}
	if alone && len(lines) != 1 {
		fail("note-malformed", place, "a statement of ours bears one signature line")
	}
	return opened.Text
}

var timeForm = regexp.MustCompile(`^"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"$`)

func checkManifest(files map[string][]byte, verifier note.Verifier, inside string) manifest {
	data := limited(files, "manifest.json", memberBytesMax)
	digest := sha256.Sum256(data)
	text := open(limited(files, "manifest.note", noteBytesMax), verifier, "manifest.note", true)
	if !strings.HasPrefix(text, exportFormat+"\n") {
		fail("note-malformed", "manifest.note", "this is no statement about an export")
	}
	if text != fmt.Sprintf("%s\n%s\n%x\n", exportFormat, verifier.Name(), digest) {
		fail("altered", "manifest.json", "the manifest is not the one that was signed")
	}
	var found manifest
	if err := parse(data, &found); err != nil || found.Format != exportFormat || found.Vkey != inside {
		fail("malformed", "manifest.json", "the manifest is of another form, or names another key")
	}
	if found.MadeAt != nil && !timeForm.Match(found.MadeAt) {
		fail("malformed", "manifest.json", "the time at which the export was made is none")
	}
	listed := map[string]bool{"manifest.json": true, "manifest.note": true}
	for _, file := range found.Files {
		if listed[file.Path] {
			fail("doubled", "manifest.json", "the manifest lists %s twice", file.Path)
		}
		listed[file.Path] = true
	}
	for _, path := range sorted(files) {
		if !listed[path] {
			fail("unlisted", path, "the manifest does not list this file")
		}
	}
	for _, file := range found.Files {
		content := limited(files, file.Path, memberBytesMax)
		digest := sha256.Sum256(content)
		if hex.EncodeToString(digest[:]) != file.Sha256 || len(content) != file.Size {
			fail("altered", file.Path, "these are not the bytes that the manifest lists")
		}
	}
	fmt.Println(len(found.Files), "files are as listed")
	return found
}

// checkQuestion: what is here is what was asked for, and each folder is that of a log.
func checkQuestion(files map[string][]byte, found manifest) {
	logs := map[string]bool{}
	for _, log := range found.Logs {
		logs[log.Log] = true
	}
	answered := len(found.Query) > 0 && len(found.Logs) > 0 && len(logs) == len(found.Logs)
	if log, isRange := found.Query["log"]; isRange {
		name, _ := log.(string)
		answered = answered && len(logs) == 1 && logs[name]
	} else {
		subjects := map[string]bool{}
		for _, each := range found.Subjects {
			subjects[each] = true
		}
		for kind, value := range found.Query {
			answered = answered && subjects[fmt.Sprintf("%s:%v", kind, value)]
		}
	}
	if !answered {
		fail("question-unanswered", "manifest.json", "the logs and subjects here do not answer what was asked for")
	}
	for _, path := range sorted(files) {
		if parts := strings.Split(path, "/"); parts[0] == "logs" && (len(parts) < 2 || !logs[parts[1]]) {
			fail("unlisted", path, "it belongs to none of the logs")
		}
	}
}

var entryName = regexp.MustCompile(`^(0|[1-9][0-9]*)\.json$`)

func checkLog(files map[string][]byte, verifier note.Verifier, found manifest, log, origin string, size, count int64) {
	folder := "logs/" + log + "/"
	place := folder + "checkpoint"
	signed := limited(files, place, noteBytesMax)
	tree, named := parseCheckpoint(open(signed, verifier, place, false), place)
	if named != verifier.Name()+"/"+log || named != origin || tree.N != size {
		fail("other-log", place, "this is a checkpoint of another log, or of another size")
	}
	leaves := map[int64]leaf{}
	digests := map[int64]tlog.Hash{}
	proofs := map[string]bool{}
	for path := range files {
		proofs[path] = strings.HasPrefix(path, folder+"proofs/")
	}
	for _, path := range sorted(files) {
		name, isEntry := strings.CutPrefix(path, folder+"entries/")
		if !isEntry {
			continue
		}
		number := entryName.FindStringSubmatch(name)
		if number == nil {
			fail("unlisted", path, "this is no entry")
		}
		index, err := strconv.ParseInt(number[1], 10, 64)
		if err != nil {
			fail("unlisted", path, "this is no entry")
		}
		data := limited(files, path, entryBytesMax)
		digests[index] = tlog.RecordHash(data)
		proof := fmt.Sprintf("%sproofs/%d.tlog-proof", folder, index)
		checkProof(limited(files, proof, noteBytesMax), index, digests[index], tree, signed, proof)
		proofs[proof] = false
		var one leaf
		if err := parse(data, &one); err != nil {
			fail("malformed", path, "%v", err)
		}
		if one.Log != log {
			fail("other-log", path, "this is an entry of another log")
		}
		leaves[index] = one
	}
	for _, path := range sorted(files) {
		if proofs[path] {
			fail("missing", path, "there is a proof, but no entry")
		}
	}
	if int64(len(leaves)) != count {
		fail("missing", folder, "%d entries are promised, %d are here", count, len(leaves))
	}
	fmt.Println(origin, "tree of", tree.N, "entries:", len(leaves), "proven")
	if _, isRange := found.Query["log"]; isRange {
		checkRange(found.Query, leaves, folder)
		return
	}
	place = folder + "subjects.note"
	text := open(limited(files, place, noteBytesMax), verifier, place, true)
	checkSubjects(text, place, folder, origin, tree, found.Subjects, leaves, digests)
}

// checkRange: all entries of the piece that was asked for, and no other.
func checkRange(query map[string]any, leaves map[int64]leaf, folder string) {
	first, isFirst := query["from"].(float64)
	until, isUntil := query["until"].(float64)
	whole := isFirst && isUntil && int64(until-first) == int64(len(leaves))
	for index := int64(first); whole && index < int64(until); index++ {
		_, whole = leaves[index]
	}
	if !whole {
		fail("missing", folder, "not all entries from %v until %v are here", query["from"], query["until"])
	}
}

var decimal = regexp.MustCompile(`^(0|[1-9][0-9]{0,18})$`)

func parseCheckpoint(text, place string) (tlog.Tree, string) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[0] == "" || !decimal.MatchString(lines[1]) {
		fail("note-malformed", place, "the signed text is no checkpoint: origin, size, root")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	root, broken := tlog.ParseHash(lines[2])
	if err != nil || broken != nil {
		fail("note-malformed", place, "the signed text is no checkpoint: origin, size, root")
	}
	return tlog.Tree{N: size, Hash: root}, lines[0]
}

// checkProof reads a proof of the form c2sp.org/tlog-proof@v1 and lets tlog judge it.
func checkProof(data []byte, index int64, digest tlog.Hash, tree tlog.Tree, checkpoint []byte, place string) {
	head, own, _ := bytes.Cut(data, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if len(lines) < 2 || lines[0] != proofFormat || !strings.HasPrefix(lines[1], "index ") {
		fail("proof-malformed", place, "this is no proof of the form %s", proofFormat)
	}
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			fail("proof-malformed", place, "%v", err)
		}
		proof = append(proof, hash)
	}
	if lines[1] != fmt.Sprintf("index %d", index) {
		fail("proof-wrong", place, "this is a proof for another entry than %d", index)
	}
	if !bytes.Equal(own, checkpoint) {
		fail("proof-wrong", place, "its checkpoint is not that of this log in this file")
	}
	if index >= tree.N {
		fail("proof-wrong", place, "entry %d is behind the signed tree", index)
	}
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, digest); err != nil {
		fail("proof-wrong", place, "%v", err)
	}
}

// checkSubjects holds the signed counts to the chains that the entries themselves carry.
func checkSubjects(
	text, place, folder, origin string, tree tlog.Tree, asked []string, leaves map[int64]leaf, digests map[int64]tlog.Hash,
) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if lines[0] != subjectsFormat {
		fail("note-malformed", place, "this is no statement about subjects")
	}
	root := base64.StdEncoding.EncodeToString(tree.Hash[:])
	if len(lines) < 4 || lines[1] != origin || lines[2] != strconv.FormatInt(tree.N, 10) || lines[3] != root {
		fail("other-log", place, "the counts of subjects are those of another log or another size")
	}
	if len(lines[4:]) != len(asked) {
		fail("subject-gap", place, "the counts are not those of the subjects that were asked for")
	}
	linked := map[int64]bool{}
	for at, line := range lines[4:] {
		fields := strings.Split(line, " ")
		if len(fields) != 3 || fields[0] != asked[at] || !decimal.MatchString(fields[1]) {
			fail("subject-gap", place, "the counts are not those of the subjects that were asked for")
		}
		count, _ := strconv.Atoi(fields[1])
		checkChain(place, fields[0], count, fields[2], leaves, digests, linked)
	}
	for index := range leaves {
		if !linked[index] {
			fail("unlisted", fmt.Sprintf("%sentries/%d.json", folder, index), "it belongs to no subject that was asked for")
		}
	}
}

func checkChain(
	place, ref string, count int, end string, leaves map[int64]leaf, digests map[int64]tlog.Hash, linked map[int64]bool,
) {
	links := map[int]struct{ own, before string }{}
	for index, one := range leaves {
		for _, subject := range one.Subjects {
			if subject.Ref == ref {
				before := "-"
				if subject.Prev != nil {
					before = *subject.Prev
				}
				digest := digests[index]
				links[subject.N] = struct{ own, before string }{hex.EncodeToString(digest[:]), before}
				linked[index] = true
			}
		}
	}
	last := "-"
	for n := 1; n <= count; n++ {
		if links[n].before != last {
			fail("subject-gap", place, "%s: its entry number %d is missing or another one", ref, n)
		}
		last = links[n].own
	}
	if len(links) != count || last != end {
		fail("subject-gap", place, "%s: %d entries were signed for, %d are here", ref, count, len(links))
	}
	fmt.Println(" ", ref, count, "of", count)
}

func sorted(files map[string][]byte) []string {
	paths := make([]string, 0, len(files))
	for path := range files {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	return paths
}

// parse reads a JSON object without doubled keys.
func parse(data []byte, into any) error {
	if err := refuseDoubledKeys(data); err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}
