/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The doctor's findings; see doctor.h.
 */

#include "ctl/doctor.h"

#include <ctype.h>
#include <stdarg.h>

/**
 * doctor_result_to_string() - the result's name
 * @result:     the result
 *
 * Return: that.
 */
const char *doctor_result_to_string(DoctorResult result) {
        static const char *const names[_DOCTOR_RESULT_MAX] = {
                [DOCTOR_OK] = "ok",           [DOCTOR_NOTE] = "note",       [DOCTOR_WARNING] = "warning",
                [DOCTOR_PROBLEM] = "problem", [DOCTOR_UNKNOWN] = "unknown",
        };

        assert(result < _DOCTOR_RESULT_MAX);
        return names[result];
}

/**
 * doctor_add() - something was found
 * @doctor:     gets it, in its present area
 * @result:     how bad it is
 * @remedy:     what to do, a literal; NULL: nothing
 * @format:     what was found
 */
void doctor_add(Doctor *doctor, DoctorResult result, const char *remedy, const char *format, ...) {
        DoctorFinding *grown =
                reallocarray(doctor->findings, doctor->n_findings + 1, sizeof(*doctor->findings));
        va_list arguments;
        char *text = NULL;

        va_start(arguments, format);
        if (!grown || vasprintf(&text, format, arguments) < 0) {
                doctor->no_memory = true;
                text = NULL;
        }
        va_end(arguments);
        if (grown)
                doctor->findings = grown;
        if (!text)
                return;
        /* What others said, a mount point and an LV's name must break no line. */
        for (char *c = text; *c; c++)
                if (iscntrl((unsigned char) *c))
                        *c = *c == '\n' || *c == '\t' ? ' ' : '?';
        doctor->findings[doctor->n_findings++] =
                (DoctorFinding){.result = result, .area = doctor->area, .text = text, .remedy = remedy};
}
