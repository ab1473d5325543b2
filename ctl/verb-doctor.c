/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * quiescectl doctor: looks at all that snapshots need, and tells what is wrong with it and what to do.
 */

#include "ctl/doctor.h"
#include "ctl/json.h"
#include "ctl/screen.h"
#include "ctl/wrap.h"

#define DOCTOR_INDENT 10

static const char usage[] =
        "\nUsage:\n"
        " quiescectl doctor [options]\n"
        "\n"
        "Look at the kernel, LVM, file systems, what is held, writers, policy and units.\n"
        "\n"
        "Options:\n"
        " -J, --json      use JSON output format\n"
        " -q, --quiet     tell warnings and problems only\n"
        "     --no-pager  don't pipe output into a pager\n"
        " -h, --help      display this help\n"
        " -V, --version   display version\n"
        "\n"
        "For more details see quiescectl(1).\n";

static const struct option long_options[] = {
        {"json", no_argument, NULL, OPTION_JSON}, OPTIONS_QUIET, OPTIONS_PAGER, OPTIONS_ALWAYS, {}};

/* In the order of the man page. */
static void look_at_all(Doctor *doctor) {
        doctor_look_at_units(doctor);
        doctor_look_at_kernel(doctor);
        doctor_look_at_lvm(doctor);
        doctor_look_at_space(doctor);
        doctor_look_at_held(doctor);
        doctor_look_at_writers(doctor);
        doctor_look_at_file_systems(doctor);
        doctor_look_at_policy(doctor);
}

static bool is_quiet(const Options *options, const DoctorFinding *finding) {
        return options->quiet && finding->result != DOCTOR_WARNING && finding->result != DOCTOR_PROBLEM;
}

static void print_findings(const Doctor *doctor, const Options *options) {
        const char *area = "";

        for (size_t i = 0; i < doctor->n_findings; i++) {
                const DoctorFinding *finding = &doctor->findings[i];
                char head[16];

                if (is_quiet(options, finding))
                        continue;
                if (!streq(area, finding->area))
                        printf("%s%s%s%s\n", *area ? "\n" : "", screen_color(SCREEN_TITLE), finding->area,
                               screen_color(SCREEN_NORMAL));
                area = finding->area;
                (void) snprintf(head, sizeof(head), "%s:", doctor_result_to_string(finding->result));
                print_wrapped(DOCTOR_INDENT, screen_color_of(doctor_result_to_string(finding->result)), head,
                              finding->text);
                if (finding->remedy)
                        print_wrapped(DOCTOR_INDENT, SCREEN_NORMAL, "do:", finding->remedy);
        }
}

static void print_summary(const size_t *counts) {
        printf("\n%zu problem%s, %zu warning%s, %zu note%s", counts[DOCTOR_PROBLEM],
               counts[DOCTOR_PROBLEM] == 1 ? "" : "s", counts[DOCTOR_WARNING],
               counts[DOCTOR_WARNING] == 1 ? "" : "s", counts[DOCTOR_NOTE],
               counts[DOCTOR_NOTE] == 1 ? "" : "s");
        if (counts[DOCTOR_UNKNOWN] > 0)
                printf("; %zu could not be looked at", counts[DOCTOR_UNKNOWN]);
        (void) puts(".");
}

static int print_json(const Doctor *doctor, const Options *options) {
        json_t *document = json_object(), *array = json_array();

        for (size_t i = 0; i < doctor->n_findings; i++) {
                const DoctorFinding *finding = &doctor->findings[i];
                json_t *object;

                if (is_quiet(options, finding))
                        continue;
                object = json_object();
                (void) json_object_set_new(object, "area", json_string(finding->area));
                (void) json_object_set_new(object, "result",
                                           json_string(doctor_result_to_string(finding->result)));
                (void) json_object_set_new(object, "text", json_string(finding->text));
                (void) json_object_set_new(object, "remedy",
                                           finding->remedy ? json_string(finding->remedy) : json_null());
                (void) json_array_append_new(array, object);
        }
        (void) json_object_set_new(document, "findings", array);
        return error_trace(json_print(document));
}

static int examine(const Options *options) {
        size_t counts[_DOCTOR_RESULT_MAX] = {};
        _cleanup_bus_ sd_bus *bus = NULL;
        Doctor doctor = {};
        int r = 0;

        (void) sd_bus_open_system(&bus);
        doctor.bus = bus;
        look_at_all(&doctor);
        for (size_t i = 0; i < doctor.n_findings; i++)
                counts[doctor.findings[i].result]++;
        if (doctor.no_memory)
                r = error_origin(-ENOMEM);
        else if (options->json)
                r = print_json(&doctor, options);
        else {
                screen_open(options);
                print_findings(&doctor, options);
                if (!options->quiet)
                        print_summary(counts);
        }
        for (size_t i = 0; i < doctor.n_findings; i++)
                free(doctor.findings[i].text);
        free(doctor.findings);
        dict_array_done(&doctor.volumes);
        return r < 0 ? error_trace(r) : counts[DOCTOR_PROBLEM] > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/**
 * verb_doctor() - the verb
 * @argc:       of the verb
 * @argv:       likewise
 *
 * Return: the exit status, or a negative errno.
 */
int verb_doctor(int argc, char **argv) {
        Options options = {};
        int c, r;

        while ((c = getopt_long(argc, argv, "JqhV", long_options, NULL)) >= 0) {
                r = options_take(&options, c, usage);
                if (r != 0)
                        return r == OPTIONS_E_DONE ? EXIT_SUCCESS : usage_hint("doctor");
        }
        if (optind < argc)
                return usage_error("doctor", "%s: it takes no argument", argv[optind]);
        return examine(&options);
}
