#include "render_internal.h"

const struct render_part RENDER_PART[RENDER_PARTS + 1] = {
    { NULL, NULL },
    { "This report",
      "Made by the host named as signer; a signature at the end, where there is one, covers every byte." },
    { "Policy", "As configured now, and as the journal dates each version of it; effective numbers are simulated." },
    { "Expected runs",
      "One a period of the policy's interval, held against the captures in the journal and the heads." },
    { "Snapshots", "From the signed heads; of those that are gone, from the journal. Deadlines are those at birth." },
    { "Copies and places", "Every place was listed for this report, older versions included where it keeps any." },
    { "Restore tests", "From the journal: restores that were made in full, compared, and recorded." },
    { "Destructions",
      "Decisions from the journal; each object was then looked for in every place, versions included." },
    { "Holds, findings and exceptions", "What does not agree, and what deviates because somebody meant it to." },
    { "Reads", "Every use of the read key that the journal has: who read a backup needs that key." },
    { "Erasure and the journal", "Computed from the snapshots that exist; the journal was verified from end to end." },
};

const struct render_requirement RENDER_REQUIREMENTS[] = {
    { "SOC 2 A1.2", "Backups are made, protected, and kept away from what they protect", "3, 4, 5" },
    { "SOC 2 A1.3", "Recovery is tested", "6" },
    { "SOC 2 C1.2", "Confidential information is disposed of", "2, 7, 10" },
    { "ISO/IEC 27001:2022 A.8.10", "Information is deleted when no longer required", "2, 7, 10" },
    { "ISO/IEC 27001:2022 A.8.13", "Backup copies are maintained and regularly tested", "2, 3, 4, 5, 6" },
    { "HIPAA 164.308(a)(7)(ii)(A)", "Data backup plan: retrievable exact copies", "3, 4, 5" },
    { "HIPAA 164.308(a)(7)(ii)(B), (D)", "Disaster recovery plan, and its testing", "5, 6" },
    { "GDPR Article 5(1)(e)", "Storage limitation: kept no longer than necessary", "2, 4, 10" },
    { "GDPR Article 17", "Erasure reaches the backups, and by when", "7, 8, 10" },
    { "GDPR Article 32(1)(c)", "Availability can be restored in a timely manner", "3, 5, 6" },
    { "GDPR Article 32(1)(d)", "Measures are tested regularly", "5, 6, 9" },
    { "NIST SP 800-88", "Sanitization is verified and recorded; keys are destroyed for cryptographic erase", "7, 9" },
    { NULL, NULL, NULL },
};

const char *const RENDER_NOT_COVERED[] = {
    "The live systems: what they hold, who may delete there, and whether a deletion there was complete.",
    "Copies of the read key outside the stores: in files, on paper, in password managers.",
    "Other backups: snapshots of disks, replicas, a database provider's own backups, exports, copies on laptops.",
    "What a storage provider keeps for itself: its replicas, its own backups, media that it has not overwritten yet.",
    "What became of data after it was restored: a read is recorded, what the reader did with it is not.",
    "Whether what was captured was right: a mistake in the live system is captured as faithfully as everything else.",
    "Clocks: times of captures are those of the host that made them, times of stored objects those of the store.",
    NULL,
};
