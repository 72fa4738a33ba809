// Checks an export of a Doorstep evidence trail by other means than verify.py does: the notes and the tree are those of
// Go's own module transparency log (golang.org/x/mod/sumdb). In the unpacked folder go/:
//
//	go run . ../../EXPORT.zip [KEY]
//
// Ends with status 0 and the counts of what was proven, or with 1 and the first thing that is wrong.
package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const memberBytesMax = 64 << 20

type manifest struct {
	Format string
	Vkey   string
	Logs   []struct {
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

func fail(format string, values ...any) {
	fmt.Printf("WRONG "+format+"\n", values...)
	os.Exit(1)
}

func must[T any](value T, err error) func(what string) T {
	return func(what string) T {
		if err != nil {
			fail("%s: %v", what, err)
		}
		return value
	}
}

func main() {
	if len(os.Args) < 2 || len(os.Args) > 3 {
		fmt.Fprintln(os.Stderr, "usage: verify EXPORT.zip [KEY]")
		os.Exit(2)
	}
	files := read(os.Args[1])
	key := strings.TrimSpace(string(files["vkey"]))
	if len(os.Args) == 3 {
		key = os.Args[2]
	}
	verifier := must(note.NewVerifier(key))("the key")
	listed := checkManifest(files, verifier)
	proven := int64(0)
	for _, log := range listed.Logs {
		checkLog(files, verifier, log.Log, log.Origin, log.Size, log.Entries)
		proven += log.Entries
	}
	for path := range files {
		if strings.Contains(path, "/entries/") {
			proven--
		}
	}
	if proven != 0 {
		fail("there are entries that belong to none of the logs")
	}
	fmt.Println("everything holds, under the key", key)
}

// read returns every member of the ZIP file by its name.
func read(path string) map[string][]byte {
	archive := must(zip.OpenReader(path))(path)
	defer archive.Close()
	files := map[string][]byte{}
	for _, member := range archive.File {
		if _, there := files[member.Name]; there {
			fail("%s stands twice", member.Name)
		}
		content := must(member.Open())(member.Name)
		files[member.Name] = must(io.ReadAll(io.LimitReader(content, memberBytesMax)))(member.Name)
	}
	return files
}

// open returns the text of a note that this key signed, on exactly one line.
func open(signed []byte, verifier note.Verifier, what string) string {
	line := fmt.Sprintf("\n\u2014 %s ", verifier.Name())
	opened := must(note.Open(signed, note.VerifierList(verifier)))(what)
	if strings.Count(string(signed), line) != 1 {
		fail("%s: not exactly one signature line by the key", what)
	}
	return opened.Text
}

func checkManifest(files map[string][]byte, verifier note.Verifier) manifest {
	digest := sha256.Sum256(files["manifest.json"])
	text := open(files["manifest.note"], verifier, "manifest.note")
	if text != fmt.Sprintf("doorstep-export/v1\n%s\n%x\n", verifier.Name(), digest) {
		fail("manifest.json: not the one that was signed")
	}
	var found manifest
	if err := json.Unmarshal(files["manifest.json"], &found); err != nil {
		fail("manifest.json: %v", err)
	}
	for _, file := range found.Files {
		digest := sha256.Sum256(files[file.Path])
		if hex.EncodeToString(digest[:]) != file.Sha256 || len(files[file.Path]) != file.Size {
			fail("%s: not the file that the manifest lists", file.Path)
		}
	}
	if len(files) != len(found.Files)+2 {
		fail("there are files that the manifest does not list")
	}
	fmt.Println(len(found.Files), "files are as listed")
	return found
}

func checkLog(files map[string][]byte, verifier note.Verifier, log, origin string, size, count int64) {
	folder := "logs/" + log + "/"
	signed := files[folder+"checkpoint"]
	open(signed, verifier, folder+"checkpoint")
	tree := must(parseCheckpoint(signed, origin))(folder + "checkpoint")
	if tree.N != size || origin != verifier.Name()+"/"+log {
		fail("%scheckpoint: of another log or another size", folder)
	}
	leaves := map[int64]leaf{}
	digests := map[int64]tlog.Hash{}
	for path, data := range files {
		name, isEntry := strings.CutPrefix(path, folder+"entries/")
		if !isEntry {
			continue
		}
		index := must(strconv.ParseInt(strings.TrimSuffix(name, ".json"), 10, 64))(path)
		digests[index] = tlog.RecordHash(data)
		proof := files[fmt.Sprintf("%sproofs/%d.tlog-proof", folder, index)]
		checkProof(proof, index, digests[index], tree, signed, path)
		var one leaf
		if err := json.Unmarshal(data, &one); err != nil || one.Log != log {
			fail("%s: not an entry of this log", path)
		}
		leaves[index] = one
	}
	if int64(len(leaves)) != count {
		fail("%s: %d entries are promised, %d are here", folder, count, len(leaves))
	}
	fmt.Println(origin, "tree of", tree.N, "entries:", len(leaves), "proven")
	if statement, there := files[folder+"subjects.note"]; there {
		checkSubjects(open(statement, verifier, folder+"subjects.note"), origin, tree, leaves, digests)
	}
}

func parseCheckpoint(signed []byte, origin string) (tlog.Tree, error) {
	lines := strings.Split(string(signed), "\n")
	if len(lines) < 4 || lines[0] != origin {
		return tlog.Tree{}, fmt.Errorf("not a checkpoint of %s", origin)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

// checkProof reads a proof of the form c2sp.org/tlog-proof@v1 and lets tlog judge it.
func checkProof(data []byte, index int64, digest tlog.Hash, tree tlog.Tree, checkpoint []byte, what string) {
	head, own, _ := bytes.Cut(data, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" || lines[1] != fmt.Sprintf("index %d", index) {
		fail("%s: its proof is none, or one of another entry", what)
	}
	if !bytes.Equal(own, checkpoint) {
		fail("%s: its proof has another checkpoint", what)
	}
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		proof = append(proof, must(tlog.ParseHash(line))(what))
	}
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, digest); err != nil {
		fail("%s: %v", what, err)
	}
}

// checkSubjects holds the signed counts to the chains that the entries themselves carry.
func checkSubjects(text, origin string, tree tlog.Tree, leaves map[int64]leaf, digests map[int64]tlog.Hash) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	root := base64.StdEncoding.EncodeToString(tree.Hash[:])
	if len(lines) < 4 || lines[0] != "doorstep-subjects/v1" || lines[1] != origin ||
		lines[2] != strconv.FormatInt(tree.N, 10) || lines[3] != root {
		fail("%s: the counts of subjects are those of another tree", origin)
	}
	for _, line := range lines[4:] {
		fields := strings.Fields(line)
		count := must(strconv.Atoi(fields[1]))(line)
		links := map[int]struct{ own, before string }{}
		for index, one := range leaves {
			for _, subject := range one.Subjects {
				if subject.Ref == fields[0] {
					before := "-"
					if subject.Prev != nil {
						before = *subject.Prev
					}
					digest := digests[index]
					links[subject.N] = struct{ own, before string }{hex.EncodeToString(digest[:]), before}
				}
			}
		}
		last := "-"
		for n := 1; n <= count; n++ {
			if links[n].before != last {
				fail("%s: %s: its entry number %d is missing or another one", origin, fields[0], n)
			}
			last = links[n].own
		}
		if len(links) != count || last != fields[2] {
			fail("%s: %s: %d entries were signed for, %d are here", origin, fields[0], count, len(links))
		}
		fmt.Println(" ", fields[0], count, "of", count)
	}
}
