package osregion

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

func TestQuotaIsReadWhereTheProcessIs(t *testing.T) {
	const (
		version2 = "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"
		boxed    = "29 23 0:26 /box /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
		version1 = "32 31 0:29 /docker/1 /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n" +
			"33 31 0:30 /docker/1 /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" +
			"41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
		in1 = "3:cpuset:/docker/1\n2:cpuacct,cpu:/docker/1/app\n0::/\n"
		v1  = "/sys/fs/cgroup/cpu,cpuacct"
	)
	inf := math.Inf(1)
	for _, c := range []struct {
		name, group, mounts string
		files               map[string]string
		want                float64
	}{
		{name: "nothing is there", want: inf},
		{name: "nothing is mounted", group: "0::/\n", want: inf},
		{name: "whole", group: "0::/\n", mounts: version2, want: 3.5,
			files: map[string]string{"/sys/fs/cgroup/cpu.max": "350000 100000\n"}},
		{name: "no limit", group: "0::/\n", mounts: version2, want: inf,
			files: map[string]string{"/sys/fs/cgroup/cpu.max": "max 100000\n"}},
		{name: "nonsense", group: "0::/\n", mounts: version2, want: inf,
			files: map[string]string{"/sys/fs/cgroup/cpu.max": "nonsense\n"}},
		{name: "nested", group: "0::/a/b/c\n", mounts: version2, want: 2,
			files: map[string]string{
				"/sys/fs/cgroup/a/cpu.max":     "400000 100000\n",
				"/sys/fs/cgroup/a/b/cpu.max":   "200000 100000\n",
				"/sys/fs/cgroup/a/b/c/cpu.max": "300000 100000\n",
			}},
		{name: "below the mount", group: "0::/box/inner\n", mounts: boxed, want: 2,
			files: map[string]string{
				"/sys/fs/cgroup/cpu.max":       "500000 100000\n",
				"/sys/fs/cgroup/inner/cpu.max": "200000 100000\n",
			}},
		{name: "another that begins alike", group: "0::/boxes\n", mounts: boxed, want: 5,
			files: map[string]string{"/sys/fs/cgroup/cpu.max": "500000 100000\n"}},
		{name: "outside of the namespace", group: "0::/../elsewhere\n", mounts: version2, want: 5,
			files: map[string]string{"/sys/fs/cgroup/cpu.max": "500000 100000\n"}},
		{name: "blanks", group: "0::/\n", mounts: "29 23 0:26 / /my\\040groups rw - cgroup2 cgroup2 rw\n", want: 2,
			files: map[string]string{"/my groups/cpu.max": "200000 100000\n"}},
		{name: "version 1", group: in1, mounts: version1, want: 3,
			files: map[string]string{
				v1 + "/cpu.cfs_quota_us": "-1\n", v1 + "/cpu.cfs_period_us": "100000\n",
				v1 + "/app/cpu.cfs_quota_us": "300000\n", v1 + "/app/cpu.cfs_period_us": "100000\n",
			}},
		{name: "version 1, the group around", group: in1, mounts: version1, want: 1.5,
			files: map[string]string{
				v1 + "/cpu.cfs_quota_us": "150000\n", v1 + "/cpu.cfs_period_us": "100000\n",
				v1 + "/app/cpu.cfs_quota_us": "300000\n", v1 + "/app/cpu.cfs_period_us": "100000\n",
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			put := func(name, text string) {
				full := filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			put("/proc/self/cgroup", c.group)
			put("/proc/self/mountinfo", c.mounts)
			for name, text := range c.files {
				put(name, text)
			}
			if got := Quota(root); got != c.want {
				t.Errorf("quota %v, want %v", got, c.want)
			}
		})
	}
}
