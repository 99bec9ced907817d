package osregion

import (
	"io"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

// hierarchy is one version of the control groups' interface. Both versions may be mounted, but only one has the cpu
// controller; the other shows no quota.
type hierarchy struct {
	fileSystem string
	holds      func(id, controllers string) bool // whether a line of /proc/self/cgroup belongs to it
	mounts     func(options string) bool         // whether a mount of it has the cpu controller
	quota      func(directory string) float64
}

var hierarchies = []hierarchy{
	{
		fileSystem: "cgroup",
		holds:      func(_, controllers string) bool { return hasController(controllers) },
		mounts:     hasController,
		quota: func(directory string) float64 {
			return quotaOf(readNumber(directory, "cpu.cfs_quota_us"), readNumber(directory, "cpu.cfs_period_us"))
		},
	},
	{
		fileSystem: "cgroup2",
		holds:      func(id, _ string) bool { return id == "0" },
		mounts:     func(string) bool { return true },
		quota: func(directory string) float64 {
			fields := strings.Fields(readFile(directory, "cpu.max"))
			if len(fields) != 2 {
				return math.Inf(1)
			}
			return quotaOf(fields[0], fields[1])
		},
	},
}

// Quota is how many processors' worth of time the control groups of this process leave it. A group is limited by its
// own quota and by that of every group around it. root is put before every path: "" except in tests.
//
// /proc/self/cgroup names the group from the top of the hierarchy; /proc/self/mountinfo says which group is the top of
// what is mounted here, and where. In a container without a cgroup namespace that top is the container's own group.
func Quota(root string) float64 {
	least := math.Inf(1)
	for _, h := range hierarchies {
		if group, ok := h.group(root); ok {
			least = min(least, h.leastQuota(root, group))
		}
	}
	return least
}

// group is the control group of this process.
func (h *hierarchy) group(root string) (group string, ok bool) {
	for _, line := range strings.Split(readFile(root, "/proc/self/cgroup"), "\n") {
		fields := strings.SplitN(line, ":", 3)
		if len(fields) == 3 && h.holds(fields[0], fields[1]) {
			return fields[2], true
		}
	}
	return "", false
}

// leastQuota is the least quota from the process's group up to the mount point.
func (h *hierarchy) leastQuota(root, group string) float64 {
	top, point, ok := h.mount(root)
	if !ok {
		return math.Inf(1)
	}
	least := math.Inf(1)
	for inside := groupBelow(top, group); ; inside = path.Dir(inside) {
		least = min(least, h.quota(root+path.Join(point, inside)))
		if inside == "/" {
			return least
		}
	}
}

// groupBelow is a group's path below the mounted group. A group outside the mounted one is not visible: then the mount
// point's quota applies.
func groupBelow(top, group string) string {
	inside := group
	if top != "/" {
		rest, ok := strings.CutPrefix(group, top)
		if !ok {
			return "/"
		}
		inside = rest
	}
	if !strings.HasPrefix(inside, "/") || strings.Contains(inside, "/..") {
		return "/"
	}
	return path.Clean(inside)
}

// mount returns the group at the mount point, and that point, from a line of mountinfo: "id parent device group point
// options [tags...] - type source options".
func (h *hierarchy) mount(root string) (group, point string, ok bool) {
	for _, line := range strings.Split(readFile(root, "/proc/self/mountinfo"), "\n") {
		head, tail, _ := strings.Cut(line, " - ")
		fields, kind := strings.Fields(head), strings.Fields(tail)
		if len(fields) >= 5 && len(kind) >= 3 && kind[0] == h.fileSystem && h.mounts(kind[2]) {
			return unescape(fields[3]), unescape(fields[4]), true
		}
	}
	return "", "", false
}

func hasController(list string) bool { return slices.Contains(strings.Split(list, ","), "cpu") }

// unescape decodes octal escapes in a path, such as \040 for a blank.
func unescape(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '\\' && i+4 <= len(path) {
			if n, err := strconv.ParseUint(path[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(path[i])
	}
	return b.String()
}

// quotaOf divides two times in microseconds; no limit is written as "max", or as -1.
func quotaOf(quota, period string) float64 {
	q, err1 := strconv.ParseFloat(quota, 64)
	p, err2 := strconv.ParseFloat(period, 64)
	if err1 != nil || err2 != nil || q <= 0 || p <= 0 {
		return math.Inf(1)
	}
	return q / p
}

func readNumber(directory, name string) string { return strings.TrimSpace(readFile(directory, name)) }

// readFile returns a file's text, or "" if it cannot be read.
func readFile(directory, name string) string {
	file, err := openStream(directory + "/" + name)
	if err != nil {
		return ""
	}
	defer file.Close()
	text, _ := io.ReadAll(file)
	return string(text)
}
