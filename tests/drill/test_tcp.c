/* SPDX-License-Identifier: MIT */
/*
 * Drills of TCP: opening, text, closing.
 */
#include "drill.h"
#include <criterion/criterion.h>

DRILL(tcp, passive_open,
      "+0    socket l tcp",
      "+0    bind l :80",
      "+0    listen l 5",
      "+0.1  < tcp S 0 win 65535 <mss 1460,sackOK,TS val 7 ecr 0,nop,wscale 7>",
      "+0    > tcp S. 0 ack 1 <mss 1460,sackOK,TS val * ecr 7,nop,wscale 7>",
      "+0.02 < tcp . 1 ack 1 win 500 <nop,nop,TS val 8 ecr last>",
      "+0    accept l c",
      "+0    < tcp P. 1:11(10) ack 1 win 500 <nop,nop,TS val 9 ecr last>",
      "+0    > tcp . 1 ack 11 <nop,nop,TS val * ecr 9>",
      "+0    recv c 10")

DRILL(tcp, send,
      "+0    socket l tcp",
      "+0    bind l :80",
      "+0    listen l 5",
      "+0.1  < tcp S 0 win 65535 <mss 1460,sackOK,TS val 7 ecr 0,nop,wscale 7>",
      "+0    > tcp S. 0 ack 1 <mss 1460,sackOK,TS val * ecr 7,nop,wscale 7>",
      "+0.02 < tcp . 1 ack 1 win 500 <nop,nop,TS val 8 ecr last>",
      "+0    accept l c",
      "+0    send c 10",
      "+0    > tcp P. 1:11(10) ack 1 <nop,nop,TS val * ecr 8>",
      "+0.02  < tcp . 1 ack 11 win 500 <nop,nop,TS val 9 ecr last>",
      "+0    send c 3000",
      "+0    > tcp . 11:1459(1448) ack 1 <nop,nop,TS val * ecr 9>",
      "+0    > tcp . 1459:2907(1448) ack 1 <nop,nop,TS val * ecr 9>",
      "+0    > tcp P. 2907:3011(104) ack 1 <nop,nop,TS val * ecr 9>",
      "+0.02  < tcp . 1 ack 3011 win 500 <nop,nop,TS val 9 ecr last>")
