package osregion

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// childRole in the environment makes this program a child.
const childRole = "SHMIPC_OSREGION_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childRole) != "" {
		fmt.Println(interfereWithOpenings())
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func isOpen(fd int) bool {
	_, err := identify(fd)
	return err == nil
}

// interfereWithOpenings closes or redirects standard output in the middle of an opening.
func interfereWithOpenings() (said string) {
	output, err := aboveStandard(func() (int, error) { return syscall.Dup(1) })
	if err != nil {
		return err.Error()
	}
	openings := 0
	open := func(interfere func()) (int, error) {
		openings = 0
		return aboveStandard(func() (int, error) {
			if openings++; openings == 1 {
				interfere()
			}
			return syscall.Open("/dev/null", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
		})
	}
	_ = syscall.Close(1)
	closed, err1 := open(func() { _ = syscall.Close(1) })
	again, open1 := openings == 2, isOpen(1)
	redirected, err2 := open(func() { _ = syscall.Dup3(output, 1, 0) })
	open2 := isOpen(1)
	_ = syscall.Dup3(output, 1, 0)
	switch {
	case err1 != nil || isStandard(closed) || !again || open1:
		return fmt.Sprintf("closed meanwhile: %d, %v; opened again: %v; left open: %v", closed, err1, again, open1)
	case err2 != nil || isStandard(redirected) || !open2:
		return fmt.Sprintf("redirected meanwhile: %d, %v; still open: %v", redirected, err2, open2)
	}
	return "done"
}

func TestStandardDescriptorsOfOthersStayAsTheyAre(t *testing.T) {
	// The command that runs this program, if it is for another processor.
	words := append(strings.Fields(os.Getenv("SHMIPC_EMULATOR")), os.Args[0])
	child := exec.Command(words[0], words[1:]...)
	child.Env = append(os.Environ(), childRole+"=yes")
	if said, err := child.Output(); err != nil || string(said) != "done\n" {
		t.Fatalf("%s, %v", said, err)
	}
}
