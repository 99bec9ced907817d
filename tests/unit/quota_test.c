/* The quota is read from a tree of files that a test lays out like a system's /proc and
   /sys/fs/cgroup. */
#define _GNU_SOURCE
#include "platform/linux/quota.h"
#include "support/fixture.h"

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NO_LIMIT UINT32_MAX

static char root[] = "/tmp/shmipc.quota.XXXXXX";

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk) {
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static int set_up(void **state) {
    (void)state;
    memset(root + sizeof root - 7, 'X', 6);
    return mkdtemp(root) == NULL;
}

static int tear_down(void **state) {
    (void)state;
    return nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *path, const char *text) {
    char full[512];
    (void)snprintf(full, sizeof full, "%s%s", root, path);
    for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        (void)mkdir(full, 0700);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void without_control_groups_there_is_no_limit(void **state) {
    (void)state;
    assert_int_equal(shmi_quota_read(root), NO_LIMIT);
    put("/proc/self/cgroup", "0::/\n");
    assert_int_equal(shmi_quota_read(root), NO_LIMIT);
    put("/proc/self/mountinfo", "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n");
    assert_int_equal(shmi_quota_read(root), NO_LIMIT);
}

static void lay_out_version_2(const char *group, const char *mount_group) {
    char text[256];
    (void)snprintf(text, sizeof text, "0::%s\n", group);
    put("/proc/self/cgroup", text);
    (void)snprintf(text, sizeof text,
                   "29 23 0:26 %s /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n",
                   mount_group);
    put("/proc/self/mountinfo", text);
}

static void a_quota_counts_whole_processors_and_at_least_one(void **state) {
    (void)state;
    lay_out_version_2("/", "/");
    put("/sys/fs/cgroup/cpu.max", "350000 100000\n");
    assert_int_equal(shmi_quota_read(root), 3);
    put("/sys/fs/cgroup/cpu.max", "50000 100000\n");
    assert_int_equal(shmi_quota_read(root), 1);
    put("/sys/fs/cgroup/cpu.max", "max 100000\n");
    assert_int_equal(shmi_quota_read(root), NO_LIMIT);
    put("/sys/fs/cgroup/cpu.max", "nonsense\n");
    assert_int_equal(shmi_quota_read(root), NO_LIMIT);
}

static void the_least_quota_around_a_nested_group_counts(void **state) {
    (void)state;
    lay_out_version_2("/system.slice/app.service/worker", "/");
    put("/sys/fs/cgroup/system.slice/app.service/worker/cpu.max", "max 100000\n");
    assert_int_equal(shmi_quota_read(root), NO_LIMIT);
    put("/sys/fs/cgroup/system.slice/cpu.max", "400000 100000\n");
    assert_int_equal(shmi_quota_read(root), 4);
    put("/sys/fs/cgroup/system.slice/app.service/cpu.max", "200000 100000\n");
    assert_int_equal(shmi_quota_read(root), 2);
    put("/sys/fs/cgroup/system.slice/app.service/worker/cpu.max", "300000 100000\n");
    assert_int_equal(shmi_quota_read(root), 2);
}

static void a_group_is_found_below_the_one_that_is_mounted(void **state) {
    (void)state;
    lay_out_version_2("/box/inner", "/box");
    put("/sys/fs/cgroup/cpu.max", "500000 100000\n");
    put("/sys/fs/cgroup/inner/cpu.max", "200000 100000\n");
    assert_int_equal(shmi_quota_read(root), 2);
    lay_out_version_2("/boxes", "/box"); /* begins alike, and is another group */
    assert_int_equal(shmi_quota_read(root), 5);
    lay_out_version_2("/../elsewhere", "/");
    assert_int_equal(shmi_quota_read(root), 5);
}

static void a_mount_point_may_have_blanks(void **state) {
    (void)state;
    put("/proc/self/cgroup", "0::/\n");
    put("/proc/self/mountinfo", "29 23 0:26 / /my\\040groups rw - cgroup2 cgroup2 rw\n");
    put("/my groups/cpu.max", "200000 100000\n");
    assert_int_equal(shmi_quota_read(root), 2);
}

#define VERSION_1_MOUNTS                                                                           \
    "32 31 0:29 /docker/1 /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"                    \
    "33 31 0:30 /docker/1 /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"          \
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"

static void version_1_is_read_where_the_process_is(void **state) {
    (void)state;
    put("/proc/self/cgroup", "3:cpuset:/docker/1\n2:cpuacct,cpu:/docker/1/app\n0::/\n");
    put("/proc/self/mountinfo", VERSION_1_MOUNTS);
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    assert_int_equal(shmi_quota_read(root), NO_LIMIT);
    put("/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_quota_us", "300000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_period_us", "100000\n");
    assert_int_equal(shmi_quota_read(root), 3);
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "100000\n");
    assert_int_equal(shmi_quota_read(root), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_control_groups_there_is_no_limit, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_quota_counts_whole_processors_and_at_least_one, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_least_quota_around_a_nested_group_counts, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_group_is_found_below_the_one_that_is_mounted, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_mount_point_may_have_blanks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(version_1_is_read_where_the_process_is, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
