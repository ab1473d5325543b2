/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What quiescectl doctor looks at: one file an area, each adds its findings. Nothing is changed, nothing is
 * started, quiesced neither. Whatever could hang (LVM while volumes are held, an executable on a suspended
 * volume) is done by a child process or a bus call with a deadline.
 */

#include <jansson.h>

#include "ctl/ctl.h"
#include "ctl/dict.h"

typedef enum DoctorResult {
        DOCTOR_OK,
        DOCTOR_NOTE,    /* good to know */
        DOCTOR_WARNING, /* it will cost something some day */
        DOCTOR_PROBLEM, /* something does not work */
        DOCTOR_UNKNOWN, /* it could not be looked at, and why */
        _DOCTOR_RESULT_MAX,
} DoctorResult;

typedef struct DoctorFinding {
        DoctorResult result;
        const char *area;
        char *text;         /* a whole sentence without its dot */
        const char *remedy; /* what to do, likewise; NULL: nothing */
} DoctorFinding;

typedef struct Doctor {
        sd_bus *bus;        /* the system bus, or NULL */
        bool quiesced;      /* runs; nothing here starts it */
        bool creating;      /* a set is being made just now: what is held is held for it */
        bool writers_known; /* quiesced has told */
        bool fsfreeze;      /* the writer fsfreeze is in order */
        DictArray volumes;  /* as GetVolumes tells */
        bool volumes_known;
        const char *area; /* of what is added now */
        DoctorFinding *findings;
        size_t n_findings;
        bool no_memory;
} Doctor;

void doctor_add(Doctor *doctor, DoctorResult result, const char *remedy, const char *format, ...)
        _printf_(4, 5);
const char *doctor_result_to_string(DoctorResult result);

#define DOCTOR_AS_ROOT "run it as root (sudo quiescectl doctor)"

/* doctor-command.c: a program, with a deadline. What it printed is ret->output's and ret->error's. */
typedef struct DoctorCommand {
        int status; /* exit status; -ENOENT: there is no such program; -ETIMEDOUT: it did not end; -errno */
        char *output, *error;
} DoctorCommand;

void doctor_command(DoctorCommand *ret, const char *const *argv);
void doctor_command_done(DoctorCommand *command);
/* Adds that it could not be looked at, and why. */
void doctor_command_failed(Doctor *doctor, const DoctorCommand *command, const char *const *argv,
                           const char *what);
#define _cleanup_doctor_command_ _cleanup_(doctor_command_done)

/* doctor-bus.c: calls with a deadline that start nobody. The caller unrefs *ret. Return: 0 or a negative
 * errno, the error is filled in. */
int doctor_call(Doctor *doctor, const char *destination, const char *path, const char *interface,
                const char *member, sd_bus_error *error, sd_bus_message **ret, const char *types, ...);
bool doctor_bus_has_owner(Doctor *doctor, const char *name);
char *doctor_get_string(Doctor *doctor, const char *destination, const char *path, const char *interface,
                        const char *property);

/* In this order: quiesced first, as others look at what it said. */
void doctor_look_at_units(Doctor *doctor);
void doctor_look_at_kernel(Doctor *doctor);
void doctor_look_at_lvm(Doctor *doctor);
void doctor_look_at_space(Doctor *doctor);
void doctor_look_at_held(Doctor *doctor);
void doctor_look_at_writers(Doctor *doctor);
void doctor_look_at_file_systems(Doctor *doctor);
void doctor_look_at_policy(Doctor *doctor);
